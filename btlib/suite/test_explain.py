"""Where does each case look? Occlusion maps of a few test slices, kept for the report; they are no verdict."""

import numpy as np
import pytest

from btlib.cases import load_cases
from btlib.evaluation import SavedPredictions
from btlib.plugin.run import Run
from btlib.runs import Maps


def test_maps(bt_run: Run, bt_case: str) -> None:
    if not load_cases()[bt_case].has_classes:
        pytest.skip(f"case {bt_case} has no classes to explain")
    if isinstance(bt_run.prepared(bt_case).predictor, SavedPredictions):
        pytest.skip(f"case {bt_case} is saved predictions, and a sample with a patch hidden has none")
    explained = bt_run.explain(bt_case)
    maps = Maps.load(bt_run.folder.explain_path(bt_case, "npz"))
    assert maps.ids.tolist() == [row.id for row in explained.samples]
    assert len(maps.ids) > 0
    assert np.isfinite(maps.total).all()
    assert np.isfinite(maps.average).any(axis=(1, 2)).all()  # NaN only where no patch lies
