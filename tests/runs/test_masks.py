"""Predicted masks of a run come back as they were, or not at all."""

from pathlib import Path

import numpy as np
import pytest

from btlib.errors import RecordError
from btlib.runs import RunFolder
from btlib.runs.masks import Masks


def test_masks_come_back(tmp_path: Path):
    masks = np.random.default_rng(0).random((3, 5, 13)) > 0.5
    Masks(np.array([7, 3, 12]), np.packbits(masks, axis=2), 13).save(tmp_path / "x.npz")
    again = Masks.load(tmp_path / "x.npz")
    for number, mask in zip((7, 3, 12), masks, strict=True):
        np.testing.assert_array_equal(again.of(number), mask)
    assert again.of(4) is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 and then nothing"])
def test_a_damaged_file_is_told(tmp_path: Path, content: bytes):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(RecordError, match="run the case again"):
        Masks.load(tmp_path / "x.npz")


def test_a_run_keeps_what_was_scored(folder: RunFolder):
    for record in folder.records():
        masks, table = folder.masks(record.case, record.seed), record.slices
        assert masks is not None
        assert table is not None
        assert [int(masks.of(n).sum()) for n in table.number] == table.pred_area  # type: ignore[union-attr]
    assert folder.masks("nobody", 1) is None
