"""The throughput tests of the suite; with an installed btlib, run them with `pytest --pyargs btlib.suite`."""

from btlib.suite.test_throughput import test_inference, test_training_step

__all__ = ["test_inference", "test_training_step"]
