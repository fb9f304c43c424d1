"""Predicted masks of a run come back as they were, or not at all."""

from pathlib import Path

import numpy as np
import pytest

from btlib.errors import RecordError
from btlib.runs import RunStore
from btlib.runs.cell import Cell
from btlib.runs.masks import Masks


def test_masks_come_back(tmp_path: Path):
    """Of several structures too; an id is text as it is."""
    masks, ids = np.random.default_rng(0).random((3, 2, 5, 13)) > 0.5, ("7", "3", "scan/12")
    Masks(np.array(ids), np.packbits(masks, axis=3), 13).save(tmp_path / "x.npz")
    again = Masks.load(tmp_path / "x.npz")
    for name, mask in zip(ids, masks, strict=True):
        np.testing.assert_array_equal(again.of(name), mask)
    assert [again.of(name) for name in ("4", "12", "07")] == [None] * 3


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 and then nothing"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(RecordError, match="run the case again"):
        Masks.load(tmp_path / "x.npz")


def test_a_run_keeps_what_was_scored(folder: RunStore):
    for record in folder.records():
        masks, table = folder.masks(record.cell), record.samples
        assert masks is not None
        assert table is not None
        found = [masks.of(name).sum(axis=(1, 2)).tolist() for name in table.id]  # type: ignore[union-attr]
        assert found == table.overlap()[1].tolist()
    assert folder.masks(Cell("nobody", 1)) is None


def test_masks_of_folds_together():
    """Their width is no multiple of eight, and a fold may be larger than another."""
    masks = np.random.default_rng(0).random((6, 2, 5, 13)) > 0.5
    ids = np.array(["7", "30", "scan/12", "4", "5", "6"])
    parts = [Masks(ids[at], np.packbits(masks[at], axis=3), 13) for at in (slice(0, 1), slice(1, 4), slice(4, 6))]
    whole = Masks.together(parts)
    assert (whole.ids.tolist(), whole.width) == (ids.tolist(), 13)
    for name, mask in zip(ids.tolist(), masks, strict=True):
        np.testing.assert_array_equal(whole.of(name), mask)
    assert whole.of("3") is None
    assert Masks.together(parts[:1]) is parts[0]
