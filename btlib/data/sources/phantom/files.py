"""Synthetic slices in the layout of the Figshare data set. They replace missing real slices; every file is marked."""

import shutil
from pathlib import Path

from filelock import FileLock
from numpy.random import RandomState

from btlib.data.quota import shares
from btlib.data.sources.figshare.folder import slice_folder, sort_out
from btlib.data.sources.figshare.slice_file import write_slice
from btlib.data.sources.phantom.head import Anatomy, anatomy, draw
from btlib.data.sources.tasks import PHANTOM
from btlib.data.workers import track
from btlib.errors import DataError, warn
from btlib.files import atomic_folder
from btlib.ranges import COUNT, SEED

_VERSION = 1  # increase it with every change of a phantom's pixels
_PERCENT = (23, 47, 30)  # of meningioma, glioma and pituitary, as in the data set
_SIZE, _SMALL_SIZE, _SMALL_EVERY = 512, 256, 20
_SLICES_OF_A_PATIENT = (3, 11)  # from 3, below 11


def write_phantoms(out: Path | str, n: int, seed: int = 0, progress: bool = False) -> Path:
    """Write n phantom slices to `out/data/1.mat` … `n.mat`: all of them, or none.

    Args:
        out: Folder without `data/`; created if necessary.
        n: Number of slices; classes 23/47/30 %, several slices per patient, one in twenty 256×256, otherwise 512×512.
        seed: Seed; the same seed and n give the same slices, bit by bit.
        progress: Draw a progress bar on stderr.

    Returns:
        The folder of the slices, `out/data`.

    Raises:
        DataError: n is below 1, the seed is below 0, `out/data` exists already, or it cannot be written.
    """
    out = Path(out)
    target = out / "data"
    _check(n, seed)
    if target.exists():
        raise DataError("exists already", where=target, hint="choose a new folder, or remove this one first")
    cast = track(_cast(n, seed), n, "Drawing phantoms", progress)
    try:
        with atomic_folder(target) as part:
            for number, (patient, label, person) in enumerate(cast, start=1):
                rng = RandomState([seed, 1, number])
                size = _SMALL_SIZE if rng.randint(_SMALL_EVERY) == 0 else _SIZE
                image, mask = draw(person, rng, size)
                write_slice(part / f"{number}.mat", image, mask, label, patient=patient, origin="phantom")
    except OSError as error:
        hint = "free some space, or choose a writable folder"
        raise DataError(f"cannot be written ({error.strerror or error})", where=target, hint=hint) from error
    return target


def phantom_folder(root: Path | str, n: int, seed: int = 0, progress: bool = False) -> Path:
    """Return a folder of n phantoms under `root`, and draw them the first time. Several processes may call it at once.

    Returns:
        The folder, whose `data/` contains the slices.

    Raises:
        DataError: n is below 1, or the seed is below 0.
    """
    _check(n, seed)
    folder = Path(root) / f"phantoms-v{_VERSION}-{n}-seed{seed}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        target = folder / "data"
        if target.is_dir():
            there = len(sort_out(slice_folder(folder))[0])
            if there == n:
                return folder
            warn(f"{target}: found {there} of {n} phantoms; drawing all again", stacklevel=2)
        shutil.rmtree(folder, ignore_errors=True)  # incomplete, or left by a killed process
        write_phantoms(folder, n, seed, progress)
    return folder


def _check(n: int, seed: int) -> None:
    COUNT.require(n, "phantoms: number of slices", error=DataError)
    SEED.require(seed, "phantoms: seed", error=DataError)


def _cast(n: int, seed: int) -> list[tuple[str, int, Anatomy]]:
    """Patient, class and anatomy of each slice: classes by quota, several slices per patient, in random order."""
    rng = RandomState([seed, 0])
    cast: list[tuple[str, int, Anatomy]] = []
    patients = 0
    for label, left in enumerate(shares(_PERCENT, n)):
        while left > 0:
            patients += 1
            count = min(left, int(rng.randint(*_SLICES_OF_A_PATIENT)))
            cast += [(f"PH{patients:04d}", label, anatomy(PHANTOM.classes[label], rng))] * count
            left -= count
    return [cast[i] for i in rng.permutation(n)]
