"""The suite's explanations, which `pytest --pyargs btlib.suite` makes where btlib is installed."""

from btlib.suite.test_explain import test_maps

__all__ = ["test_maps"]
