"""Compare the quality of each case with its baseline."""

from btlib.plugin.run import Run


def test_quality(bt_run: Run, bt_case: str, bt_metric: str) -> None:
    bt_run.check(bt_case, bt_metric)
