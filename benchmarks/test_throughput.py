"""The suite's throughput, which `pytest --pyargs btlib.suite` runs where btlib is installed."""

from btlib.suite.test_throughput import test_inference, test_training_step

__all__ = ["test_inference", "test_training_step"]
