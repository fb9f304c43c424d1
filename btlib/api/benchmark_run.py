"""A run that is open: its cells are executed when they are asked for, each once, and its cases are judged."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from btlib.cases import Prepared, load_cases
from btlib.data.dataset import Dataset
from btlib.errors import BaselineError
from btlib.gate import Baseline
from btlib.gate.judgement import CaseJudgement, judge_case
from btlib.gate.loading import NotComparedError
from btlib.protocol import Tier
from btlib.results import CaseResult
from btlib.runs import CaseRecord, RunStore
from btlib.runs.cell import Cell
from btlib.runs.executors import InProcess
from btlib.runs.plan import RunPlan
from btlib.runs.results import as_results
from btlib.runs.workspace import Workspace
from btlib.splits import Split


@dataclass(eq=False)
class BenchmarkRun:
    """The run of a plan.

    Attributes:
        workspace: Its data and splits.
        store: What it leaves behind.
        baseline: What its cases are compared with, or why there is nothing.
        executor: Executes its cells.
        ends: Called when it ends.
    """

    workspace: Workspace
    store: RunStore
    baseline: Baseline | BaselineError
    executor: InProcess
    ends: list[Callable[[], None]] = field(default_factory=list)

    @property
    def plan(self) -> RunPlan:
        """What is measured, and how."""
        return self.workspace.plan

    @property
    def tier(self) -> Tier:
        """Its settings, with what the user asked for."""
        return self.plan.tier

    @property
    def truth(self) -> Dataset:
        """The samples at the protocol's size and scaling."""
        return self.workspace.truth

    @property
    def split(self) -> Split:
        """Which of them train, validate and test; the first of several folds."""
        return self.workspace.split

    def given(self, case: str) -> Dataset:
        """The samples as a case takes them."""
        return self.workspace.given(load_cases()[case])

    def records(self, case: str, measures: Iterable[str] = ()) -> list[CaseRecord]:
        """The records of a case, one a cell, executed where they have not been; its errors are in the records.

        Args:
            case: Name of the case.
            measures: What to measure in its first cell, beside what the plan says.
        """
        first, *others = self.plan.cells(case)
        cells = [replace(first, measures=first.measures | {*measures}), *others]
        return [self.executor.submit(cell).result() for cell in cells]

    def first_record(self, case: str, measures: Iterable[str] = ()) -> CaseRecord:
        """The record of a case's first cell, in which everything beside its quality is measured."""
        first = self.first_cell(case)
        return self.executor.submit(replace(first, measures=first.measures | {*measures})).result()

    def first_cell(self, case: str) -> Cell:
        """The first cell of a case."""
        return self.plan.cells(case)[0]

    def result(self, case: str) -> CaseResult:
        """What was measured of a case, all seeds and folds together."""
        return as_results(self.records(case))[0]

    def prepared(self, case: str) -> Prepared:
        """The predictor of a case's first cell.

        Raises:
            ModelError: The case failed.
        """
        return self.executor.prepared(self.first_cell(case))

    def judgement(self, case: str, metrics: Iterable[str] = ()) -> CaseJudgement:
        """All verdicts on a case, made when they are first asked for.

        Args:
            case: Name of the case.
            metrics: What to judge beside the metrics that the case and the baseline ask for.
        """
        self.records(case)
        return judge_case(self.store, case, self.baseline, tuple(metrics))

    def header(self) -> list[str]:
        """What a reader must know of the run before its first case."""
        compared = f"compared with baseline {self.store.info().baseline}"
        if isinstance(self.baseline, NotComparedError):
            compared = "compared with nothing, as asked"
        return [f"btlib {self.tier.name}: {self.store.info().data}", f"  {compared}; records in {self.store.path}"]

    def close(self) -> None:
        """End what the run started."""
        self.executor.close()
        for end in reversed(self.ends):
            end()
