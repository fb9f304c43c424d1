"""The explanations of the suite; with an installed btlib, run them with `pytest --pyargs btlib.suite`."""

from btlib.suite.test_explain import test_maps

__all__ = ["test_maps"]
