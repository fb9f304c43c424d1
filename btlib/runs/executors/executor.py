"""The interface of executors."""

from concurrent.futures import Future
from typing import Protocol

from btlib.runs.cell import Cell
from btlib.runs.record import CaseRecord


class Executor(Protocol):
    """Executes cells. What it executes depends on the cell and the run alone, not on the order of the cells."""

    def submit(self, cell: Cell) -> "Future[CaseRecord]":
        """Execute a cell, or find its record in the run's folder.

        An error of the case is in the record, and not in the future.
        """
        ...

    def close(self) -> None:
        """End what it started."""
        ...
