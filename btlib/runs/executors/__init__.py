"""Executors of the cells of a run, with a common interface."""

from btlib.runs.executors.executor import Executor
from btlib.runs.executors.inprocess import InProcess

__all__ = ["Executor", "InProcess"]
