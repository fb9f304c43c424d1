"""No value of a damaged block is ever given: it is made anew, or refused."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from btlib.data import checked_array
from btlib.data.checked_array import CheckedArray, block_digests
from btlib.errors import DataError

VALUES = np.arange(7 * 5 * 3, dtype=np.float32).reshape(7, 5, 3)
"""Rows of 60 bytes: with blocks of 100 none begins where a row begins, but for the first."""

HEADER = 128


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked_array, "BLOCK", 100)


Open = Callable[..., CheckedArray]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    np.save(tmp_path / "a.npy", VALUES)
    return tmp_path / "a.npy"


@pytest.fixture
def reopened(path: Path) -> Open:
    """The array, after a byte of its values was turned; `rebuild` is what stands in for the files."""
    digests = block_digests(path)

    def go(byte: int | None, rebuild: Callable[[Sequence[int]], None] = lambda rows: None) -> CheckedArray:
        if byte is not None:
            raw = bytearray(path.read_bytes())
            raw[HEADER + byte] ^= 64
            path.write_bytes(raw)
        return CheckedArray(path, digests, rebuild)

    return go


KEYS: list[Any] = [
    0,
    6,
    -1,
    np.int64(3),
    slice(None),
    slice(2, 5),
    slice(5, None, -2),
    slice(0, 0),
    [3, 1, 3],
    np.array([], int),
    np.array([True, False] * 3 + [True]),
    (slice(1, 3), 2),
    (4, slice(None), 1),
    (Ellipsis, 0),
    (None, 2),
    VALUES > 40,
    (np.array([0, 6]), np.array([1, 4])),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_it_is_indexed_as_the_array_itself(key: Any, reopened: Open):
    found = reopened(None)[key]
    assert np.array_equal(found, VALUES[key])
    assert np.shape(found) == np.shape(VALUES[key])


def test_it_is_used_as_the_array_itself(reopened: Open):
    array = reopened(None)
    assert (len(array), array.shape, array.dtype, array.size, array.ndim, array.nbytes) == (
        *(7, (7, 5, 3), np.dtype(np.float32), 105, 3, 420),
    )
    assert all(np.array_equal(one, other) for one, other in zip(array, VALUES, strict=True))
    assert np.array_equal(np.asarray(array), VALUES)
    assert np.asarray(array, dtype=np.float64).dtype == np.float64
    assert np.array_equal(array - VALUES[2], VALUES - VALUES[2])
    assert np.array_equal(np.abs(array), VALUES)
    assert (array.sum(), array.mean(axis=(1, 2)).tolist()) == (VALUES.sum(), VALUES.mean(axis=(1, 2)).tolist())
    assert array.tolist() == VALUES.tolist()
    assert not np.asarray(array).flags.writeable
    assert np.array(array).flags.writeable


def test_it_is_a_condition_as_the_array_itself(tmp_path: Path):
    np.save(tmp_path / "m.npy", VALUES > 40)
    mask = CheckedArray(tmp_path / "m.npy", block_digests(tmp_path / "m.npy"), lambda rows: None)
    assert VALUES.mean(where=mask) == VALUES.mean(where=VALUES > 40)


@pytest.mark.parametrize("byte", [None, 0])
def test_it_cannot_be_written_to(byte: int | None, reopened: Open):
    array = reopened(byte)
    with pytest.raises(ValueError, match=r"read-only: copy them first, np\.array"):
        array += 1
    with pytest.raises(ValueError, match="read-only"):
        np.add(VALUES, 1, out=array)
    with pytest.raises(TypeError, match="item assignment"):
        array[0] = 0  # type: ignore[index]


@pytest.mark.parametrize("key", [key for key in KEYS if VALUES[key].size], ids=str)
def test_a_turned_bit_in_what_is_read_is_noticed(key: Any, reopened: Open):
    first = int(VALUES[key].ravel()[0]) * 4
    with pytest.raises(DataError, match=r"cached samples . to . are damaged, and rebuilding gave different pixels"):
        reopened(first)[key]


@pytest.mark.parametrize("whole", [np.asarray, np.array, list, lambda a: a + 1, lambda a: a.sum()])
@pytest.mark.parametrize("byte", [0, 99, 100, 419])
def test_a_turned_bit_anywhere_is_noticed_where_all_is_read(
    whole: Callable[[CheckedArray], object], byte: int, reopened: Open
):
    with pytest.raises(DataError, match="are damaged"):
        whole(reopened(byte))


def test_rows_of_sound_blocks_can_be_read_beside_a_damaged_one(reopened: Open):
    array = reopened(419)
    assert np.array_equal(array[:6], VALUES[:6])
    with pytest.raises(DataError, match="samples 7 to 7 are"):
        array[6]


@pytest.mark.parametrize("byte", range(0, 420, 19))
def test_damage_is_made_anew_from_the_files(byte: int, path: Path, reopened: Open):
    """Each slice that lies in the block, and no other, is written as it was."""
    rows_asked: list[int] = []

    def rebuild(rows: Sequence[int]) -> None:
        rows_asked.extend(rows)
        with path.open("r+b") as file:
            for row in rows:
                file.seek(HEADER + row * 60)
                file.write(VALUES[row].tobytes())

    array = reopened(byte, rebuild)
    assert np.array_equal(np.asarray(array), VALUES)
    block = byte // 100
    assert rows_asked == [row for row in range(7) if row * 60 < (block + 1) * 100 and (row + 1) * 60 > block * 100]
    before = list(rows_asked)
    assert np.array_equal(array[:], VALUES)
    assert rows_asked == before


def test_what_cannot_be_made_anew_says_so(reopened: Open):
    def rebuild(rows: Sequence[int]) -> None:
        raise DataError("there is no such file", where="1.mat")

    with pytest.raises(DataError, match=r"1\.mat: there is no such file"):
        np.asarray(reopened(0, rebuild))


def test_a_block_is_looked_at_once_in_a_process(reopened: Open, monkeypatch: pytest.MonkeyPatch):
    looked: list[int] = []
    digest = checked_array._digest
    monkeypatch.setattr(checked_array, "_digest", lambda block: looked.append(len(block)) or digest(block))
    array = reopened(None)
    array[0]
    assert looked == [100]
    array[0], array[1]
    assert looked == [100, 100]
    reopened(None)[:]  # opened once more, the same file
    assert looked == [100] * 4 + [20]


@given(hnp.arrays(st.sampled_from([np.float32, np.bool_]), hnp.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray):
    path = tmp_path_factory.mktemp("a") / "a.npy"
    np.save(path, values)
    array = CheckedArray(path, block_digests(path), lambda rows: None)
    assert np.asarray(array).tobytes() == values.tobytes()
