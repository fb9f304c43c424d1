"""Interface of executors."""

from concurrent.futures import Future
from typing import Protocol

from btlib.runs.cell import Cell
from btlib.runs.record import CaseRecord


class Executor(Protocol):
    """Executor of cells. The result of a cell depends only on the cell and the run, not on the order of the cells."""

    def submit(self, cell: Cell) -> "Future[CaseRecord]":
        """Execute a cell, or read its record from the run's folder.

        An error of the case is stored in the record; it is not an exception of the future.
        """
        ...

    def close(self) -> None:
        """Release all resources of the executor."""
        ...
