"""The quality tests of the suite; with an installed btlib, run them with `pytest --pyargs btlib.suite`."""

from btlib.suite.test_quality import test_quality

__all__ = ["test_quality"]
