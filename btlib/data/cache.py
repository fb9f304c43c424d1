"""Cache of preprocessed samples on disk, addressed by content. A source is read once for each size and scaling.

`index/` maps the signature of a source (sizes and times of its files) to the fingerprint of its content, so that a warm
start reads no sample. `arrays/` contains one entry for each content, size and scaling. An entry is built in a temporary
folder and then renamed.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data import entry
from btlib.data.dataset import Dataset
from btlib.data.digest import image_digest, mask_digest
from btlib.data.faults import joined
from btlib.data.originals import OriginalsWriter, Packed, pack
from btlib.data.preprocess import is_scaled_twice, prepare_image, prepare_mask
from btlib.data.reading import known, read_checked
from btlib.data.source import DatasetSource, SampleInfo
from btlib.data.workers import map_files
from btlib.errors import DataError, warn
from btlib.files import require_regular, write_text
from btlib.types import Scaling

PREPROCESSING = 1
"""Version of the preprocessing. Increase it with every change: stored models were trained on its output."""

_LAYOUT = 6  # version of an entry's layout; increase it with every change


@dataclass(frozen=True)
class _Request:
    """Samples of one source at one size and scaling, and the paths of their parts in the cache."""

    root: Path
    source: DatasetSource
    samples: Sequence[SampleInfo]
    image_size: int
    scaling: Scaling

    @property
    def name(self) -> str:
        return fingerprint.of(self.source.place, self.image_size, self.scaling)

    def signature(self) -> str:
        """Signature of the source and of the list of its samples."""
        return fingerprint.of(self.source.signature(), [info.id for info in self.samples])

    @property
    def index(self) -> Path:
        return self.root / "index" / fingerprint.of(self.source.place)

    def entry(self, content: str) -> Path:
        return self.root / "arrays" / fingerprint.of(content, self.image_size, self.scaling, PREPROCESSING, _LAYOUT)


def cache_root() -> Path:
    """Folder of the cache: `BTLIB_CACHE` if it is set, otherwise the user's cache folder."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("BTLIB_CACHE")
    return Path(chosen) if chosen else user_cache_path("btlib")


def open_cached(source: DatasetSource, image_size: int, scaling: Scaling, progress: bool = False) -> Dataset:
    """Open the samples of a source from the cache. Read and store them first if necessary. Arrays are memory-mapped.

    A damaged entry is rebuilt, with a BtlibWarning. Several processes may call this function at once: one of them
    builds the entry.

    Raises:
        DataError: There are no samples, or some are faulty (one error names all of them).
    """
    samples = known(source.samples(), source.place)
    if not samples:
        raise DataError("there are no samples", where=source.place)
    request = _Request(cache_root(), source, samples, int(image_size), scaling)
    found = _find(request)
    if found is None:
        with _locked(request, request.name):
            found = _find(request) or _build(request, progress)
    return found


@contextmanager
def _locked(request: _Request, name: str) -> Iterator[None]:
    """Hold a lock of the cache.

    Raises:
        DataError: The lock file cannot be created.
    """
    path = request.root / "locks" / f"{name}.lock"
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(path))
        except OSError as error:
            raise _unwritable(request, error) from error
        yield


def _find(request: _Request) -> Dataset | None:
    content = _known_content(request)
    return None if content is None else _open(request, content)


def _open(request: _Request, content: str) -> Dataset | None:
    place = request.entry(content)
    if not place.is_dir():
        return None
    try:
        return _entry(request, place, content)
    except entry.DamagedEntry as damage:
        warn(f"{place}: cached samples are damaged ({damage}); rebuilding them", stacklevel=2)
        return None


def _entry(request: _Request, place: Path, content: str) -> Dataset:
    rebuild = partial(_store_again, request, place)
    original = partial(_original, request)
    return entry.open_entry(place, request.image_size, request.scaling, request.source, content, rebuild, original)


def _original(request: _Request, i: int) -> NDArray[np.bool_]:
    """Read the masks of sample i from the source, bool [structures, h, w]."""
    return read_checked(request.source, request.samples[i]).mask


def _store_again(request: _Request, place: Path, rows: Sequence[int]) -> None:
    """Read samples whose cached pixels are damaged from their source again, and store them.

    Raises:
        DataError: A file cannot be read, or the cache cannot be written.
    """
    names = [request.samples[i].id for i in rows]
    warn(f"{place}: cached pixels of {names[0]} to {names[-1]} are damaged; rebuilding them", stacklevel=2)
    try:
        for i in rows:
            numbered = (i, request.samples[i])
            _prepare(numbered, request.source, place, len(request.samples), request.image_size, request.scaling)
    except OSError as error:
        raise _unwritable(request, error) from error


def _unwritable(request: _Request, error: OSError) -> DataError:
    return DataError(
        f"cannot be written ({error})", where=request.root, hint="free some space, or set BTLIB_CACHE to another folder"
    )


def _known_content(request: _Request) -> str | None:
    """Fingerprint of the files' content, or None if a file's size or time has changed since it was computed."""
    try:
        require_regular(request.index)
        signature, content = request.index.read_text(encoding="utf-8").split()
    except (OSError, ValueError):  # there is no index, or it is damaged: the files must be read
        return None
    return content if signature == request.signature() else None


def _build(request: _Request, progress: bool) -> Dataset:
    signature = request.signature()  # before reading: a file that changes meanwhile is noticed next time
    with _workplace(request) as place:
        content = _fill(request, place, progress)
        _move_into_place(place, request, content)
    try:
        write_text(request.index, f"{signature} {content}\n")
    except OSError as error:
        raise _unwritable(request, error) from error
    opened = _open(request, content)
    if opened is None:
        raise DataError(
            "cannot be read back", where=request.entry(content), hint="check whether the disk is full or faulty"
        )
    return opened


@contextmanager
def _workplace(request: _Request) -> Iterator[Path]:
    """Empty folder in which an entry is built. Folders that killed processes left are removed: the lock is ours.

    Raises:
        DataError: The folder or a file in it cannot be written.
    """
    building = request.root / "building"
    try:
        building.mkdir(parents=True, exist_ok=True)
        for orphan in building.glob(f"{request.name}-*"):
            shutil.rmtree(orphan)
        place = Path(tempfile.mkdtemp(dir=building, prefix=f"{request.name}-"))
    except OSError as error:
        raise _unwritable(request, error) from error
    try:
        yield place
    except OSError as error:
        raise _unwritable(request, error) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _move_into_place(place: Path, request: _Request, content: str) -> None:
    target = request.entry(content)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(request, "arrays"):  # two source folders with the same content share an entry
        if target.is_dir():
            try:
                _entry(request, target, content)
                return
            except entry.DamagedEntry:
                target.replace(place.with_name(f"{place.name}-damaged"))
        place.replace(target)
    shutil.rmtree(place.with_name(f"{place.name}-damaged"), ignore_errors=True)


def _fill(request: _Request, place: Path, progress: bool) -> str:
    """Build the entry at `place` from all samples and return the content's fingerprint; one error names all faults."""
    source, n = request.source, len(request.samples)
    entry.create(place, n, request.image_size, source.task)
    work = partial(_prepare, source=source, place=place, n=n, image_size=request.image_size, scaling=request.scaling)
    contents, rows, faults, largest = [], [], [], 0.0
    with closing(OriginalsWriter(place)) as originals:
        for made in map_files(work, enumerate(request.samples), n, "Reading samples", progress):
            if isinstance(made, DataError):
                faults.append(made)
                continue
            contents.append(made.content)
            rows.append(made.row)
            originals.add(made.original)
            largest = max(largest, made.largest)
    if faults:
        raise joined(faults, source.place, source.hint)
    if is_scaled_twice(largest, request.scaling):
        warn(
            f"{source.place}: no intensity is above 1, so the images are already scaled to 0…1; the scaling thesis "
            "divides them by 255 again (hint: choose the scaling percentile or zscore, --bt-scaling)"
        )
    content = fingerprint.of(source.task.model_dump(mode="json"), contents)
    entry.finish(place, rows, request.image_size, request.scaling, content, source.task, originals.index)
    return content


class _Made(NamedTuple):
    """What is known of a sample whose pixels are stored.

    Attributes:
        content: Fingerprint of the sample as the source returned it, before resizing.
        row: Row of the entry.
        largest: Largest intensity after scaling.
        original: Compressed original masks; None if the size of a pixel is unknown.
    """

    content: str
    row: entry.Row
    largest: float
    original: Packed | None


def _prepare(
    numbered: tuple[int, SampleInfo], source: DatasetSource, place: Path, n: int, image_size: int, scaling: Scaling
) -> _Made:
    """Read sample i of n and store its pixels. This process writes them to disk and sends them to no other process.

    Raises:
        DataError: The sample cannot be read, or does not fit the source's task.
    """
    i, info = numbered
    sample = read_checked(source, info)
    source.check_scaling(info, sample, scaling)
    mask, prepared = prepare_mask(sample.mask, image_size), prepare_image(sample.image, image_size, scaling)
    if not np.isfinite(prepared).all():
        problem = f"image: expected intensities that fit into float32, got up to {np.abs(sample.image).max():.3g}"
        raise DataError(problem, where=f"{source.place}, sample {sample.id}")
    entry.store(place, i, n, prepared, mask)
    image, whose = image_digest(sample.image), (sample.id, sample.label, sample.patient, sample.volume)
    row = entry.Row(*whose, entry.pack(image, mask_digest(mask), *source.mark(sample)))
    own = () if sample.spacing is None else (sample.spacing,)  # the task's spacing is in the content's fingerprint
    content = fingerprint.of(*whose, image, mask_digest(sample.mask), *own)
    return _Made(content, row, float(prepared.max()), pack(sample.mask, sample.spacing or source.task.spacing))
