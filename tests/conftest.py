"""What tests of several rooms share. No test reads or writes the user's own cache."""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock, Timeout
from hypothesis import HealthCheck, settings

from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import PHANTOM
from btlib.results import Conditions
from btlib.sample_table import SampleTable, sample_table

pytest_plugins = ["pytester"]

# No test fails for a machine that is slow; in CI this stands on hypothesis's own profile for it.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for by its marker or by a node id.

    Tests of a file stand together, in whatever order they were named: what they share is made once.
    """
    items.sort(key=lambda item: item.path)
    if "nightly" in config.getoption("markexpr") or any("::" in arg for arg in config.args):
        return
    long = [item for item in items if item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if not item.get_closest_marker("nightly")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before each file: cases collect garbage often, and need not look through all that was imported before."""
    if item.path != _frozen_for[0]:
        _frozen_for[0] = item.path
        gc.collect()
        gc.freeze()


_frozen_for: list[Path | None] = [None]


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    """A test that leaves PyTorch with more threads than processors makes all that follow ten times as slow."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    if torch and torch.get_num_threads() != before:
        changed = torch.get_num_threads()
        torch.set_num_threads(before)
        pytest.fail(f"the test left PyTorch with {changed} threads in place of {before}")


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of this session alone, shared by its workers; sub-processes and pytester's sessions keep to it too."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    os.environ["BTLIB_CACHE"] = str(folder / "btlib-cache")


@pytest.fixture(autouse=True, scope="session")
def _unsynced() -> Iterator[None]:
    """No test pulls the plug: they do not wait for the disk after each of thousands of small files.

    Tests that look for the call put one of their own in its place.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


def _is_locked(path: Path) -> bool:
    """Whether a lock file is locked, by whatever object or process."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


@pytest.fixture(scope="session")
def is_locked() -> Callable[[Path], bool]:
    """Tells, inside what a lock should guard, whether it is locked."""
    return _is_locked


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., Dataset]:
    """Noise with a bright square as tumour, whose side tells the type: learnable in seconds, no files."""

    def make(n: int = 24, size: int = 32, patients: bool = True, seed: int = 0) -> Dataset:
        rng = np.random.default_rng(seed)
        labels = np.arange(n, dtype=np.int64) % 3
        images = rng.random((n, size, size), dtype=np.float32)
        masks = np.zeros((n, size, size), dtype=bool)
        for i, k in enumerate(labels):
            side = size // 8 * (int(k) + 2)
            top, left = rng.integers(0, size - side, 2)
            masks[i, top : top + side, left : left + side] = True
        images[masks] += 4
        return Dataset(
            task=PHANTOM,
            images=images[:, None],
            masks=masks[:, None],
            labels=labels,
            ids=(np.arange(1, n + 1) * 10).astype(str),
            patients=tuple(f"P{i // 2:03d}" if patients else None for i in range(n)),
            scaling="thesis",
            image_size=size,
            folder=None,
        )

    return make


@pytest.fixture
def make_table() -> Callable[..., SampleTable]:
    """A table whose Dice and correctness are chosen: mean Dice falls with `worse`, `wrong` samples are misclassified.

    Each sample is a patient's only one, unless patients are given.
    """

    def make(
        n: int = 60,
        *,
        worse: float = 0.0,
        wrong: int = 0,
        mask: bool = True,
        classes: bool = True,
        patients: Sequence[str | None] | None = None,
        seed: int = 0,
    ) -> SampleTable:
        truth = np.random.default_rng(0).integers(300, 400, n)  # whatever is predicted, the samples are the same
        rng = np.random.default_rng(seed)
        rng.integers(300, 400, n)
        kept = np.clip(rng.normal(0.9 - worse, 0.03, n), 0, 1)
        labels = np.arange(n) % 3
        predicted = np.where(np.arange(n) < wrong, (labels + 1) % 3, labels)
        counts = {"truth_area": truth[:, None]}
        if mask:
            counts |= {"intersection": np.floor(truth * kept).astype(int)[:, None], "pred_area": truth[:, None]}
        return sample_table(
            PHANTOM,
            [str(k) for k in range(1, n + 1)],
            [f"P{i}" for i in range(n)] if patients is None else patients,
            labels=labels,
            measures=counts,
            class_prob=np.where(np.eye(3)[predicted] > 0, 0.8, 0.1) if classes else None,
        )

    return make


@pytest.fixture
def conditions() -> Conditions:
    """Of sixty phantoms, as `make_table` makes them."""
    return Conditions(
        task=PHANTOM,
        truth_fingerprint="t1",
        input_fingerprint="i1",
        split_name="slice-seed42",
        split_fingerprint="s1",
        n_test=60,
        test_class_counts=[20, 20, 20],
        image_size=32,
        scaling="thesis",
        threshold=0.65,
        epsilon=1e-6,
    )
