"""What executes the cells of a run, behind one interface."""

from btlib.runs.executors.executor import Executor
from btlib.runs.executors.inprocess import InProcess

__all__ = ["Executor", "InProcess"]
