"""Benchmark of the case, run by `pytest`. The test fails if the model has become worse than the baseline."""

import pytest

pytestmark = pytest.mark.btlib_cases("mine.py::mine")


def test_quality(bt_run, bt_case, bt_metric):
    """Measure a metric of the case and compare it with the baseline."""
    bt_run.check(bt_case, bt_metric)
