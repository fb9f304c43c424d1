import numpy as np
import pytest

from btlib.data import write_slice


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    root = tmp_path / "cache"
    monkeypatch.setenv("BTLIB_CACHE", str(root))
    return root


@pytest.fixture
def make_slice():
    """Write a slice with an odd shape, height and width unequal, and a mask that is not symmetric."""

    def make(path, label=1, seed=0, **options):
        rng = np.random.default_rng(seed)
        image = rng.integers(0, 4000, (37, 52)).astype(np.int16)
        mask = np.zeros((37, 52), bool)
        mask[5:20, 30:37] = True
        path.parent.mkdir(parents=True, exist_ok=True)
        write_slice(path, image, mask, label, **options)
        return image, mask

    return make


@pytest.fixture
def folder(tmp_path, make_slice):
    """Six slices of two patients a class, under numbers with a gap."""
    home = tmp_path / "figshare" / "data"
    for k, number in enumerate((1, 2, 3, 7, 10, 11)):
        make_slice(home / f"{number}.mat", label=k % 3, seed=number, patient=f"P{k:02d}")
    return home
