"""Maps are read as they were written, or not at all."""

from pathlib import Path

import numpy as np
import pytest

from btlib.errors import RecordError
from btlib.explain.maps import Maps
from btlib.explain.place import ExplainPlace


@pytest.fixture
def maps() -> Maps:
    rng = np.random.default_rng(0)
    total = rng.random((2, 5, 7), dtype=np.float32)
    average = total.copy()
    average[:, :, -1] = np.nan
    return Maps(np.array(["7", "a/3"]), np.array([0, 2]), np.array([0.5, 0.9]), total, average, "i1")


def test_there_and_back(maps: Maps, tmp_path: Path):
    maps.save(tmp_path / "a.npz")
    again = Maps.load(tmp_path / "a.npz")
    assert again.identity == "i1"
    for name in ("ids", "label", "base", "total", "average"):
        assert np.array_equal(getattr(again, name), getattr(maps, name), equal_nan=name == "average")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_what_cannot_be_read(maps: Maps, tmp_path: Path):
    path = tmp_path / "a.npz"
    with pytest.raises(RecordError, match="cannot be read"):
        Maps.load(path)
    maps.save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RecordError, match="cannot be read"):
        Maps.load(path)
    np.savez(path, ids=["1"])
    with pytest.raises(RecordError, match="cannot be read"):
        Maps.load(path)
    np.savez(path, **vars(maps) | {"base": np.zeros(3)})
    with pytest.raises(RecordError, match=r"expected base of shape \(2\), got \(3,\)"):
        Maps.load(path)


@pytest.mark.parametrize("case", ["A", "a/b", "..", "v1.2", "<script>"])
def test_a_case_may_be_called_anything(case: str, tmp_path: Path):
    path = ExplainPlace(tmp_path).file(case, "npz")
    assert path.parent == tmp_path / "explain"
    assert path.suffix == ".npz"
    assert path != ExplainPlace(tmp_path).file(case + "2", "npz")
