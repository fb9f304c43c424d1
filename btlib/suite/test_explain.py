"""Explain each case: occlusion maps of a few test samples are stored for the report; they are not judged."""

import numpy as np
import pytest

from btlib.cases import load_cases
from btlib.plugin.run import Run
from btlib.runs.measuring import EXPLANATION


@pytest.mark.btlib_measures(EXPLANATION)
def test_maps(bt_run: Run, bt_case: str) -> None:
    found = bt_run.explained(bt_case)
    if found is None:
        saved = "has saved predictions, but none for samples with a hidden patch"
        why = saved if load_cases()[bt_case].has_classes else "has no classes to explain"
        pytest.skip(f"case {bt_case} {why}")
    explained, maps = found
    assert maps.ids.tolist() == [row.id for row in explained.samples]
    assert len(maps.ids) > 0
    assert np.isfinite(maps.total).all()
    assert np.isfinite(maps.average).any(axis=(1, 2)).all()  # NaN only at pixels that no patch covers
