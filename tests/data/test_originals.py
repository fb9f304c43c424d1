"""Original masks: stored where the size of a pixel is known, read one at a time, and never trusted if damaged."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from btlib.data import load_dataset
from btlib.data.originals import FILE, Originals, OriginalsWriter, pack
from btlib.data.sample import Sample
from btlib.data.source import DatasetSource, SampleInfo
from btlib.data.task import Task
from btlib.errors import BtlibWarning, DataError

SIZES = [(9, 30), (31, 8), (16, 16), (5, 6)]
SPACINGS: list[tuple[float, float] | None] = [(0.5, 2.0), None, (1, 1.25), (3.0, 0.1)]


def mask_of(i: int) -> NDArray[np.bool_]:
    return np.random.default_rng(i).random((2, *SIZES[i])) > 0.5


class Scans(DatasetSource):
    """Images of several sizes; some state the size of a pixel, others leave it to the task."""

    folder = None

    def __init__(self, spacing: tuple[float, float] | None, own: Sequence[object]) -> None:
        self._task = Task(name="scans", structures=("a", "b"), spacing=spacing)
        self.own = tuple(own)
        self.reads = 0

    @property
    def task(self) -> Task:
        return self._task

    def samples(self) -> Sequence[SampleInfo]:
        return [SampleInfo(f"s{i}", str(i)) for i in range(len(self.own))]

    def signature(self) -> str:
        return f"{self.own} {self._task.spacing}"

    def read(self, info: SampleInfo) -> Sample:
        self.reads += 1
        i = int(info.key)
        image = np.full((1, *SIZES[i]), 7, np.uint8)
        return Sample(info.id, image, mask_of(i), None, None, spacing=self.own[i])  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))


def opened(source: Scans) -> Originals:
    found = load_dataset(source, 12).originals
    assert found is not None
    return found


@pytest.mark.parametrize("default", [None, (0.7, 0.9)])
def test_masks_and_spacings_come_back_of_sample_or_task(default: tuple[float, float] | None) -> None:
    source = Scans(default, SPACINGS)
    for originals in (opened(source), opened(source)):  # built, then from the cache
        for i, stated in enumerate(SPACINGS):
            found, spacing = originals.read(i), stated or default
            assert (found is None) == (spacing is None)
            if found is not None:
                assert found.spacing == spacing
                assert np.array_equal(found.mask, mask_of(i))
    assert source.reads == len(SPACINGS)


def test_nothing_is_stored_without_a_spacing(tmp_path: Path) -> None:
    assert load_dataset(Scans(None, [None] * 4), 12).originals is None
    assert not list((tmp_path / "cache").rglob(FILE))
    assert pack(np.zeros((0, 4, 4), bool), (1.0, 1.0)) is None  # a task of classes has nothing to measure


def test_subsets_and_parts_keep_their_own() -> None:
    dataset = load_dataset(Scans((1, 1), SPACINGS), 12)
    for some in (dataset.subset(np.array([3, 1])), dataset.part(np.array([3, 1])), dataset.limit(4)):
        assert some.originals is not None
        copy = pickle.loads(pickle.dumps(some.originals)) if len(some) == 2 else some.originals
        at = [3, 1] if len(some) == 2 else [0, 1, 2, 3]
        assert all(np.array_equal(copy.read(k).mask, mask_of(i)) for k, i in enumerate(at))


def test_another_spacing_is_another_content() -> None:
    fingerprints = {opened(Scans(None, own)).fingerprint for own in (SPACINGS, [*SPACINGS[:3], (3.0, 0.2)])}
    assert len(fingerprints) == 2
    assert opened(Scans((3.0, 0.1), [None] * 4)).read(0).spacing == (3.0, 0.1)  # type: ignore[union-attr]


@pytest.mark.parametrize("damage", ["bytes", "cut", "gone"])
def test_a_damaged_mask_is_read_again_from_the_source(damage: str) -> None:
    source = Scans((1, 1), SPACINGS)
    originals = opened(source).subset(np.array([2, 3]))
    data = originals.path.read_bytes()
    if damage == "gone":
        originals.path.unlink()
    else:
        originals.path.write_bytes(bytes(255 - b for b in data) if damage == "bytes" else data[: len(data) // 2])
    with pytest.warns(BtlibWarning, match="a stored mask is damaged; reading it from the source again"):
        found = originals.read(1)
    assert found is not None
    assert np.array_equal(found.mask, mask_of(3))
    assert source.reads == 5


def test_a_missing_file_or_a_wrong_index_rebuilds_the_entry() -> None:
    source = Scans((1, 1), SPACINGS)
    opened(source).path.unlink()
    with pytest.warns(BtlibWarning, match=rf"{FILE} is missing"):
        assert np.array_equal(opened(source).read(1).mask, mask_of(1))  # type: ignore[union-attr]


@pytest.mark.parametrize("spacing", [(1.0,), (1, 0), (-1, 1), (np.nan, 1), (np.inf, 1), "ab", 3.0, (1, 2, 3)])
def test_an_invalid_spacing_is_refused(spacing: object) -> None:
    with pytest.raises(DataError, match=r"sample s0: spacing: expected"):
        load_dataset(Scans(None, [spacing]), 12)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12), st.booleans()), min_size=1, max_size=6))
def test_any_sizes_are_written_and_read(sizes: list[tuple[int, int, bool]]) -> None:
    import tempfile

    masks = [np.random.default_rng(h * w).random((1, h, w)) > 0.5 for h, w, _ in sizes]
    with tempfile.TemporaryDirectory() as folder:
        writer = OriginalsWriter(Path(folder))
        for mask, (_, _, known) in zip(masks, sizes, strict=True):
            writer.add(pack(mask, (0.5, 2.0) if known else None))
        writer.close()
        index = writer.index
        assert (index is None) == (not any(known for _, _, known in sizes))
        if index is not None:
            found = Originals.open(Path(folder) / FILE, index, 1, lambda i: masks[i])
            read = [found.read(i) for i in range(len(masks))]
            for one, mask, (_, _, known) in zip(read, masks, sizes, strict=True):
                assert (one is not None) == known
                assert one is None or np.array_equal(one.mask, mask)
