"""A disk that is full at any moment: a clear error, and the same call succeeds once there is space.

A small file system in memory stands for the disk; it takes the rights of root to mount one.
"""

import errno
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.data import load_dataset, write_phantoms
from btlib.data.sources.figshare.fetch import require_space
from btlib.errors import BtlibError, DataError

from .fuzz.readers import (
    digest,
    make_archive,
    make_baseline,
    make_maps,
    make_npz_predictions,
    read_archive,
    read_fitted,
    read_maps,
    read_predictions,
    record_of,
    run_folder,
)

FEW = [4, 24, 128, 1024]
SIZES = [4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048]
"""In KiB, from one in which nothing fits to one in which all does."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A fresh disk of so many KiB; one that is mounted is made larger where it is asked for by `grow`."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        release()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    def release() -> None:
        while mounted:
            subprocess.run(["umount", "-l", str(mounted.pop())], check=True)

    yield mount
    release()


def grow(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)


def phantoms(place: Path) -> str:
    if not (place / "p" / "data").exists():
        write_phantoms(place / "p", 2)
    return digest(*[path.read_bytes() for path in sorted((place / "p" / "data").glob("*.mat"))])


def run(place: Path) -> str:
    return str(record_of(run_folder(place / "run").path).samples)


def report(place: Path) -> str:
    from btlib.reporting.html import write_report
    from btlib.runs import RunStore

    folder = run_folder(place / "run")
    write_report(folder.path)
    return str(RunStore(folder.path).records()[0].samples) + str((folder.path / "index.html").stat().st_size > 1000)


def predictions(place: Path) -> str:
    make_npz_predictions(place)
    return read_predictions(place)


def maps(place: Path) -> str:
    make_maps(place)
    return read_maps(place)


def baseline(place: Path) -> str:
    (path,) = make_baseline(place)
    return str(json.loads(path.read_text())["cases"]["X"]["runs"])


def unpacked(place: Path, archive: Path) -> str:
    (place / "a.zip").exists() or (place / "a.zip").symlink_to(archive)
    return read_archive(place)


STAGES: dict[str, Callable[[Path], str]] = {
    "phantoms": phantoms,
    "a run": run,
    "a report": report,
    "predictions": predictions,
    "maps": maps,
    "a baseline": baseline,
    "a fitted model": read_fitted,
}


def try_all(stage: Callable[[Path], str], disk: Callable[[int], Path], sizes: list[int]) -> None:
    """On disks of all sizes: an error that says so, and then the same as on a disk that is large enough."""
    expected = stage(disk(65_536))
    outcomes: list[bool] = []
    for size in sizes:
        place = disk(size)
        try:
            assert stage(place) == expected
        except (BtlibError, OSError) as error:
            told = error
        else:
            outcomes.append(True)
            continue
        assert getattr(told, "errno", None) == errno.ENOSPC or "space" in str(told) or "MB are free" in str(told)
        outcomes.append(False)
        grow(place)
        assert stage(place) == expected, f"after a disk of {size} KiB was full"
        assert not [path for path in place.rglob("*") if path.name.endswith(".part")]
    assert outcomes[0] is False, "the smallest disk must be too small"
    assert outcomes == sorted(outcomes)


LONG = {"a report", "a baseline"}


@pytest.mark.filterwarnings("ignore::btlib.errors.BtlibWarning")  # what is damaged is told, and made anew
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.nightly] * (name in LONG)) for name in STAGES])
@pytest.mark.parametrize("sizes", [FEW, pytest.param(SIZES, marks=pytest.mark.nightly)], ids=["few", "many"])
def test_a_full_disk_is_told_and_leaves_nothing_wrong(name: str, sizes: list[int], disk: Callable[[int], Path]):
    try_all(STAGES[name], disk, sizes)


@pytest.mark.filterwarnings("ignore::btlib.errors.BtlibWarning")
def test_the_cache_of_slices(disk: Callable[[int], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = write_phantoms(tmp_path / "p", 6)

    def stage(place: Path) -> str:
        monkeypatch.setenv("BTLIB_CACHE", str(place / "cache"))
        found = load_dataset(source, 64)
        return digest(np.asarray(found.images), np.asarray(found.masks), found.labels)

    try_all(stage, disk, FEW)


def test_unpacking(disk: Callable[[int], Path], tmp_path: Path):
    (tmp_path / "zip").mkdir()
    (archive,) = make_archive(tmp_path / "zip")
    try_all(lambda place: unpacked(place, archive), disk, [4, 8, 64])


@pytest.mark.nightly
def test_a_training_and_its_checkpoint(disk: Callable[[int], Path], tmp_path: Path, make_dataset: Callable[..., Any]):
    torch = pytest.importorskip("torch")
    from btlib.protocol import Protocol
    from btlib.splits import slice_seed42
    from btlib.thesis.checkpoints import Store
    from btlib.thesis.recipe import ThesisRecipe
    from btlib.thesis.training import Plan

    recipe = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=2, batch_size=8)
    dataset, split = make_dataset(12), slice_seed42(12)
    train, val = dataset.part(split.train), dataset.part(split.val)
    plan = Plan("D", recipe, train, val, "data", "split", Protocol(image_size=32), 9, "fp32")

    def stage(place: Path) -> str:
        trained = Store(place / "checkpoints", torch.device("cpu"), lambda line: None).train_or_load(plan)
        return digest(*(value.numpy() for value in trained.model.state_dict().values()))

    try_all(stage, disk, [16, 64, 256, 1024])


def test_a_download_that_would_not_fit_is_not_begun(disk: Callable[[int], Path]):
    place = disk(64)
    with pytest.raises(DataError, match=r"needs 1 MB, 0 MB are free"):
        require_space(place, 10**6)
