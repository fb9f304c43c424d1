"""A case whose predictor is there: what everything beside its quality is measured with."""

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
    """A prepared case within its cell.

    Attributes:
        case: The case.
        cell: The cell.
        prepared: Its predictor.
        record: What is known so far.
        workspace: Data and splits.
        store: The run's folder.
        throughput: Measures speed.
        references: What speed is compared with.
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
        """The samples as the case takes them."""
        return self.workspace.given(self.case)

    @property
    def split(self) -> Split:
        """Its split."""
        return self.workspace.split_of(self.cell)

    @property
    def work(self) -> Work:
        """What the case was given."""
        return self.workspace.work(self.cell)
