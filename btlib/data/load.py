"""Loading a `Dataset` from a source of samples."""

from collections import Counter
from pathlib import Path

from btlib.data.cache import open_cached
from btlib.data.dataset import Dataset
from btlib.data.preprocess import check
from btlib.data.source import SOURCES, DatasetSource
from btlib.data.sources.figshare.source import FigshareSource
from btlib.data.sources.table.image_files import kind_of
from btlib.data.sources.table.source import TableSource  # noqa: F401 - it registers itself
from btlib.errors import DataError
from btlib.types import Scaling


def load_dataset(
    source: DatasetSource | Path | str,
    image_size: int = 256,
    scaling: Scaling | None = None,
    progress: bool = False,
) -> Dataset:
    """Load the samples of a source, resized and scaled. From the second time on they are read from the cache.

    Args:
        source: A source, or a folder of a kind in `btlib.data.source.SOURCES`, such as a folder that contains
            `metadata.csv`, or `1.mat`, `2.mat` …, directly or in `data/`.
        image_size: Side of the square images in pixels.
        scaling: "thesis" (divide by 255) or "percentile" (1st…99th percentile of the channel to 0…1), or
            "zscore" (mean 0 and standard deviation 1 of the channel). None: the default of the source, as in a run.
        progress: Draw a progress bar on stderr while files are read.

    Raises:
        DataError: There are no samples, the folder is of several kinds, phantom and real samples are mixed, or files
            are faulty. One error names all faulty files.
    """
    check(image_size, scaling or "thesis")  # before any file is read
    found = source if isinstance(source, DatasetSource) else open_source(Path(source))
    return open_cached(found, image_size, scaling or found.default_scaling, progress)


def open_source(folder: Path) -> DatasetSource:
    """Open the source of a folder with the source kind that recognises it.

    Raises:
        DataError: There is no such folder, it contains no samples, or several kinds recognise it.
    """
    kinds = [name for name in SOURCES if folder.is_dir() and SOURCES[name].recognises(folder)]
    if len(kinds) > 1:
        raise DataError(
            f"contains samples of several kinds: {', '.join(kinds)}",
            where=folder,
            hint="use a separate folder for each kind",
        )
    if not kinds:
        _require_no_images(folder)
        return FigshareSource(folder)  # it reports what is missing
    return SOURCES[kinds[0]].open(folder)


def _require_no_images(folder: Path) -> None:
    """Raise an error for a folder of images without `metadata.csv`; the hint names the layouts that recognise it."""
    from btlib.data.layouts.importing import LAYOUTS

    names = [path.name for depth in ("*.*", "*/*.*", "*/*/*.*", "*/*/*/*.*") for path in folder.glob(depth)]
    found = Counter(Path(name).suffix.lower() for name in names if Path(name).suffix and kind_of(name))
    if found:
        suffix, n = found.most_common(1)[0]
        listed = "list them in metadata.csv, with a header such as file_name,mask,label,patient: see docs/tasks.md"
        layouts = [name for name in LAYOUTS if LAYOUTS[name].recognises(folder)]
        commands = " or ".join(f"`btlib data import {name} {folder} OUT`" for name in layouts)
        raise DataError(
            f"contains {n} {suffix} files, but no metadata.csv",
            where=folder,
            hint=f"import them with {commands}, or {listed}" if layouts else listed,
        )
