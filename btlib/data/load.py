"""Loading a `Dataset` from a source of samples."""

from pathlib import Path

from btlib.data.cache import open_cached
from btlib.data.dataset import Dataset
from btlib.data.preprocess import check
from btlib.data.source import SOURCES, DatasetSource
from btlib.data.sources.figshare.source import FigshareSource
from btlib.errors import DataError
from btlib.types import Scaling


def load_dataset(
    source: DatasetSource | Path | str, image_size: int = 256, scaling: Scaling = "thesis", progress: bool = False
) -> Dataset:
    """Load the samples of a source, resized and scaled. From the second time on they are read from the cache.

    Args:
        source: A source, or a folder of a kind in `btlib.data.source.SOURCES`, such as a folder that contains `1.mat`,
            `2.mat` …, directly or in `data/`.
        image_size: Side of the square images in pixels.
        scaling: "thesis" (divide by 255) or "percentile" (1st…99th percentile of the channel to 0…1).
        progress: Draw a progress bar on stderr while files are read.

    Raises:
        DataError: There are no samples, the folder is of several kinds, phantom and real samples are mixed, or files
            are faulty. One error names all faulty files.
    """
    check(image_size, scaling)
    found = source if isinstance(source, DatasetSource) else open_source(Path(source))
    return open_cached(found, image_size, scaling, progress)


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
    return SOURCES[kinds[0]].open(folder) if kinds else FigshareSource(folder)  # it reports what is missing
