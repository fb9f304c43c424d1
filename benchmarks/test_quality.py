"""The suite's quality, which `pytest --pyargs btlib.suite` runs where btlib is installed."""

from btlib.suite.test_quality import test_quality

__all__ = ["test_quality"]
