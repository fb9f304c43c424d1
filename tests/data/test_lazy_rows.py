"""Rows that are read when they are asked for: to a reader an array, to a writer nothing."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from btlib.data.checked_array import CheckedArray, block_digests
from btlib.data.lazy_rows import LazyRows

BEHIND = np.arange(9 * 4 * 3, dtype=np.float32).reshape(9, 4, 3)
ORDER = np.array([7, 0, 3, 3, 8, 1])
ROWS = BEHIND[ORDER]


class Counting:
    """An array that keeps the rows that were read of it, one list a reading."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.read: list[list[int]] = []

    def __getitem__(self, key: Any) -> np.ndarray:
        self.read.append(np.arange(len(self._array))[key].ravel().tolist())
        return np.asarray(self._array[key])


def nested() -> LazyRows:
    """The same rows through two orders."""
    first = np.array([8, 7, 1, 0, 3])
    return LazyRows(LazyRows(BEHIND, first), np.array([1, 3, 4, 4, 0, 2]))


@pytest.fixture
def checked(tmp_path: Path) -> LazyRows:
    """The same rows of a file."""
    np.save(tmp_path / "a.npy", BEHIND)
    return LazyRows(CheckedArray(tmp_path / "a.npy", block_digests(tmp_path / "a.npy"), lambda rows: None), ORDER)


@pytest.fixture(params=["array", "nested", "checked"])
def lazy(request: pytest.FixtureRequest, checked: LazyRows) -> LazyRows:
    """The rows of an array, of other lazy rows, and of a file."""
    return {"array": LazyRows(BEHIND, ORDER), "nested": nested(), "checked": checked}[request.param]


def same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(found, expected)


MASK = np.array([True, False, True, True, False, False])
KEYS: list[Any] = [
    *(0, -1, np.int64(4), np.array(2), slice(None), slice(1, 5, 2), slice(None, None, -1), slice(4, 2), slice(-2, 99)),
    *([], [3, 1, 1], [-1, 0], np.array([], int), np.array([[0, 5], [2, 2]]), [[1], [0]], range(2, 4)),
    *(MASK, MASK.tolist(), ~MASK & MASK, ROWS > 40, MASK[:, None] & np.ones(4, bool), True, False, np.array(True)),
    *((), ((),), Ellipsis, None, (2,), (2, 3), (2, 3, 1), (2, Ellipsis), (Ellipsis, 1), (None, 2), (2, None)),
    *((None, Ellipsis), (slice(1, 3), 2), (slice(None), slice(1, 3), 1), (slice(2), None, 0), (slice(3), Ellipsis, 1)),
    *((4, slice(None), 0), ([0, 5], [1, 3]), (np.array([[0], [5]]), [1, 3]), ([0, 5], slice(None), [2, 0])),
    *((slice(2, 4), [1, 3], [0, 2]), (1, [1, 3]), (1, slice(None), [2, 0]), (np.array(1), slice(None), [2, 0])),
    *(([1], slice(None), [2, 0]), (MASK, 1), (MASK, [1, 2, 3]), (MASK, slice(None), [0, 1, 2]), ((0, 5), 1)),
    *((slice(None), np.ones((4, 3), bool)), (slice(3), ROWS[0] > 80), (True, 0), (0, True), (False, [1])),
]


def test_it_is_indexed_as_an_array(lazy: LazyRows):
    for key in KEYS:
        same(lazy[key], ROWS[key])


def test_what_an_array_refuses_is_refused(lazy: LazyRows):
    for key in (6, -7, (6, 0), [0, 6], (0, 4), (0, 0, 0, 0), MASK[:5], 1.0, "a", [0.5], np.array([])):
        for array in (ROWS, lazy):
            with pytest.raises(IndexError):
                array[key]


def _keys(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Whatever an array of this shape is indexed by."""
    whole = hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    few = hnp.integer_array_indices(
        shape, result_shape=hnp.array_shapes(min_dims=0, max_dims=2, max_side=3, min_side=0)
    )
    mask = hnp.arrays(bool, st.sampled_from([shape[: i + 1] for i in range(len(shape))]))
    rows = st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4)
    rest = st.one_of(*(hnp.basic_indices(shape[1:], allow_newaxis=True).map(_tuple) for _ in shape[1:2]), st.just(()))
    mixed = st.tuples(st.one_of(rows, hnp.arrays(bool, shape[:1])), rest).map(lambda pair: (pair[0], *pair[1]))
    pairs = _pairs(shape) if len(shape) > 2 else st.nothing()
    return st.one_of(whole, few, mask, rows, mixed, pairs)


def _tuple(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _pairs(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Lists and whole numbers at some axes, slices at the others: where NumPy puts an axis depends on all of them."""

    @st.composite
    def draw(pick: st.DrawFn) -> tuple[Any, ...]:
        length = pick(st.integers(1, 3))
        key = []
        for side in shape:
            number = st.integers(-side, side - 1)
            lists = st.lists(number, min_size=length, max_size=length)
            key.append(pick(st.one_of(number, lists, st.slices(side))))
        return tuple(key)

    return draw()


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
def test_it_is_indexed_as_an_array_by_whatever(data: st.DataObject, shape: tuple[int, ...]):
    behind = np.arange(np.prod(shape)).reshape(shape)
    positions = np.array(data.draw(st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=5)), dtype=np.int64)
    key = data.draw(_keys((len(positions), *shape[1:])))
    same(LazyRows(behind, positions)[key], behind[positions][key])


@given(st.data())
def test_rows_of_rows_are_rows(data: st.DataObject):
    n, lazy, expected = len(BEHIND), BEHIND, BEHIND
    for _ in range(data.draw(st.integers(1, 4))):
        positions = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=6)))
        n, lazy, expected = len(positions), LazyRows(lazy, positions), expected[positions]  # type: ignore[assignment]
    same(np.asarray(lazy), expected)
    key = data.draw(_keys(expected.shape))
    same(lazy[key], expected[key])


@pytest.mark.parametrize(
    "positions", [[4, 1], [-1], [[0, 5], [2, 2]], MASK.tolist(), [], (ROWS > 40).tolist()], ids=lambda p: str(p)[:30]
)
def test_tensors_are_positions_too(positions: list[Any], lazy: LazyRows):
    """What a data loader of PyTorch asks for."""
    torch = pytest.importorskip("torch")
    asked = torch.tensor(positions, dtype=None if positions else torch.int64)
    same(lazy[asked], ROWS[asked.numpy()])
    if asked.ndim == 1:
        same(lazy[asked, 1], ROWS[asked.numpy(), 1])


def test_a_tensor_of_one_position_is_a_number(lazy: LazyRows):
    torch = pytest.importorskip("torch")
    same(lazy[torch.tensor(2)], ROWS[2])


def test_it_has_what_an_array_has(lazy: LazyRows):
    assert (len(lazy), lazy.shape, lazy.dtype, lazy.size, lazy.ndim, lazy.nbytes) == (
        *(6, (6, 4, 3), np.dtype(np.float32), 72, 3, 288),
    )
    for one, other in zip(lazy, ROWS, strict=True):
        same(one, other)
    assert lazy.tolist() == ROWS.tolist()
    assert not hasattr(lazy, "no_such_thing")


def test_it_becomes_an_array(lazy: LazyRows):
    same(np.asarray(lazy), ROWS)
    same(np.array(lazy), ROWS)
    same(np.asarray(lazy, dtype=np.float64), ROWS.astype(np.float64))
    same(np.ascontiguousarray(lazy), ROWS)
    same(np.concatenate([lazy, lazy]), np.concatenate([ROWS, ROWS]))
    with pytest.raises(ValueError, match="a copy"):
        np.asarray(lazy, copy=False)


CALCULATIONS: dict[str, Callable[[Any], Any]] = {
    "add": lambda a: a + 1,
    "add from the left": lambda a: 1 + a,
    "with itself": lambda a: a * a,
    "with an array": lambda a: a - BEHIND[:1],
    "compared": lambda a: a > 40,
    "equal": lambda a: a == BEHIND[3],
    "negative": lambda a: -a,
    "matrices": lambda a: a @ np.ones((3, 2), np.float32),
    "ufunc": np.sqrt,
    "two results": lambda a: np.modf(a)[0],
    "reduced": lambda a: np.add.reduce(a, axis=1),
    "mean by axis": lambda a: a.mean(axis=(1, 2)),
    "mean of all": np.mean,
    "sum": lambda a: a.sum(),
    "max": lambda a: a.max(axis=0),
    "any": lambda a: (a > 40).any(axis=(1, 2)),
    "cast": lambda a: a.astype(np.int16),
    "reshaped": lambda a: a.reshape(len(a), -1),
    "turned": lambda a: a.T,
    "where": lambda a: np.add(a, 1, where=a > 40, out=np.zeros((6, 4, 3), np.float32)),
    "into another": lambda a: np.add(a, 1, out=np.empty((6, 4, 3), np.float32)),
}


@pytest.mark.parametrize("calculate", CALCULATIONS.values(), ids=CALCULATIONS)
def test_it_is_calculated_with_as_an_array(calculate: Callable[[Any], Any], lazy: LazyRows):
    same(calculate(lazy), calculate(ROWS))


def test_rows_that_are_a_condition(lazy: LazyRows):
    """As true masks are, of images that are rows as well."""
    shown = LazyRows(BEHIND > 40, ORDER)
    assert lazy.mean(where=shown) == ROWS.mean(where=ROWS > 40)
    same(np.where(shown, lazy, 0), np.where(ROWS > 40, ROWS, 0))
    same(ROWS[np.asarray(shown)], lazy[np.asarray(shown)])


def test_rows_of_one_axis_are_numbers():
    labels = LazyRows(np.arange(9) * 10, ORDER)
    same(labels[0], np.int64(70))
    same(labels[1:3], np.array([0, 30]))
    assert [int(label) for label in labels] == [70, 0, 30, 30, 80, 10]


WRITES: dict[str, Callable[[Any], None]] = {
    "a row": lambda a: a.__setitem__(0, 0),
    "a value": lambda a: a.__setitem__((0, 0, 0), 5),
    "all": lambda a: a.__setitem__(slice(None), 0),
    "+=": lambda a: a.__iadd__(1),
    "/=": lambda a: a.__itruediv__(2),
    "out": lambda a: np.add(ROWS, 1, out=a),
    "out of itself": lambda a: np.sqrt(a, out=a),
    "at": lambda a: np.add.at(a, 0, 1),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_it_cannot_be_written_to(write: Callable[[Any], None], lazy: LazyRows):
    with pytest.raises(ValueError, match=r"read-only: copy them first, np\.array"):
        write(lazy)
    same(np.asarray(lazy), ROWS)


def test_what_would_write_in_place_is_not_there(lazy: LazyRows):
    """It would write into a copy, and seem to have been done."""
    for name in ("fill", "sort", "partition", "put", "resize", "setflags", "itemset", "setfield"):
        with pytest.raises(AttributeError, match=f"{name}: .* are read-only"):
            getattr(lazy, name)


def test_what_it_gives_is_a_copy(lazy: LazyRows):
    before = BEHIND.copy()
    for key in KEYS:
        if isinstance(ROWS[key], np.ndarray):
            part = lazy[key]
            assert not np.shares_memory(part, BEHIND)
            part[...] = -1
    assert np.array_equal(BEHIND, before)
    same(np.asarray(lazy), ROWS)


@pytest.mark.parametrize("whole", [np.asarray, np.array, lambda a: next(iter(a)), lambda a: a.T, lambda a: a.view()])
def test_all_of_it_is_a_copy_too(whole: Callable[[Any], np.ndarray], lazy: LazyRows):
    before = BEHIND.copy()
    whole(lazy)[...] = -1
    assert np.array_equal(BEHIND, before)
    same(np.asarray(lazy), ROWS)


def test_rows_are_read_when_they_are_asked_for():
    behind = Counting(BEHIND)
    lazy = LazyRows(behind, ORDER)
    (len(lazy), lazy.shape, lazy.dtype, lazy.size, lazy.ndim, lazy.nbytes)
    assert behind.read == []
    for key, rows in (
        *[(2, [3]), (-1, [1]), (slice(1, 3), [0, 3]), ([4, 0], [8, 7]), (MASK, [7, 3, 3])],
        *[((2, 1), [3]), ((slice(2), 1), [7, 0]), (([4, 0], [1, 3]), [8, 7]), ((MASK, 0), [7, 3, 3])],
        *[(np.array([[0, 1], [5, 0]]), [7, 0, 1, 7]), ((0, slice(None), [2, 0]), [7]), ([], []), (slice(0), [])],
    ):
        behind.read.clear()
        lazy[key]
        assert behind.read == [rows], key
    behind.read.clear()
    np.asarray(lazy)
    assert behind.read == [ORDER.tolist()], "all at once"
    behind.read.clear()
    next(iter(lazy))
    assert behind.read == [[7]], "one by one"


def test_rows_of_rows_read_what_is_asked_for():
    behind = Counting(BEHIND)
    lazy = LazyRows(LazyRows(behind, np.array([8, 7, 1])), np.array([2, 0, 2]))
    assert behind.read == []
    same(lazy[1:], BEHIND[[8, 1]])
    assert behind.read == [[8, 1]]


def test_of_a_file_only_what_is_read_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from btlib.data import checked_array
    from btlib.errors import DataError

    monkeypatch.setattr(checked_array, "BLOCK", BEHIND[0].nbytes)
    path = tmp_path / "a.npy"
    np.save(path, BEHIND)
    digests = block_digests(path)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 64  # of the last row
    path.write_bytes(raw)
    lazy = LazyRows(CheckedArray(path, digests, lambda rows: None), ORDER)
    same(lazy[:4], ROWS[:4])
    same(lazy[5], ROWS[5])
    with pytest.raises(DataError, match="damaged"):
        lazy[4]


def test_it_goes_to_other_processes(lazy: LazyRows):
    """As workers of a data loader take it."""
    packed = pickle.dumps(lazy)
    same(np.asarray(pickle.loads(packed)), ROWS)
    assert len(packed) < 2 * ROWS.nbytes + 1000  # with its own rows, and no others


def test_no_attribute_leads_to_the_rows_of_others(lazy: LazyRows):
    behind = np.arange(8.0)
    part = LazyRows(behind, np.array([1, 2]))
    for found in vars(part).values():
        assert not (isinstance(found, np.ndarray) and np.shares_memory(found, behind))
    assert {
        name for name, found in vars(lazy).items() if hasattr(found, "__len__") and len(found) == len(BEHIND)
    } == set()


def test_no_rows_at_all():
    lazy = LazyRows(BEHIND, np.array([], dtype=np.int64))
    assert (len(lazy), lazy.shape, list(lazy)) == (0, (0, 4, 3), [])
    same(np.asarray(lazy), BEHIND[:0])
    for key in ((slice(None), 1), [], np.zeros(0, bool), (Ellipsis, 0), ([], [])):
        same(lazy[key], BEHIND[:0][key])
