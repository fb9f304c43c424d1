"""Case with its loaded predictor: the input of the measures."""

from dataclasses import dataclass

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.runs.cell import Cell
from btlib.runs.measuring.meter import ThroughputMeter
from btlib.runs.measuring.references import References
from btlib.runs.record import CaseRecord
from btlib.runs.store import RunStore
from btlib.runs.workspace import Workspace
from btlib.splits import Split


@dataclass(frozen=True, eq=False)
class Live:
    """Prepared case of a cell.

    Attributes:
        case: Case to measure.
        cell: Cell of the case.
        prepared: Predictor of the case.
        record: Record so far.
        workspace: Data and splits.
        store: Store of the run.
        meter: Meter of the speed.
        references: Speed references.
    """

    case: Case
    cell: Cell
    prepared: Prepared
    record: CaseRecord
    workspace: Workspace
    store: RunStore
    meter: ThroughputMeter
    references: References

    @property
    def given(self) -> Dataset:
        """Samples at the size and scaling of the case."""
        return self.workspace.given(self.case)

    @property
    def split(self) -> Split:
        """Split of the cell."""
        return self.workspace.split_of(self.cell)

    @property
    def work(self) -> Work:
        """Inputs of the case."""
        return self.workspace.work(self.cell)
