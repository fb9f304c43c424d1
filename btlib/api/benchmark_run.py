"""Open benchmark run. It executes each cell once, when its record is requested, and judges the cases."""

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
    """Open run of a plan.

    Attributes:
        workspace: Data and splits.
        store: Store of the run.
        baseline: Baseline for the comparison, or the reason why there is none.
        executor: Executor of the cells.
        ends: Functions to call at the end of the run.
    """

    workspace: Workspace
    store: RunStore
    baseline: Baseline | BaselineError
    executor: InProcess
    ends: list[Callable[[], None]] = field(default_factory=list)

    @property
    def plan(self) -> RunPlan:
        """Plan of the run."""
        return self.workspace.plan

    @property
    def tier(self) -> Tier:
        """Settings of the run, with the user's options applied."""
        return self.plan.tier

    @property
    def truth(self) -> Dataset:
        """Samples at the protocol's size and scaling."""
        return self.workspace.truth

    @property
    def split(self) -> Split:
        """Split of the samples, or the first of several folds."""
        return self.workspace.split

    def given(self, case: str) -> Dataset:
        """Return the samples at the size and scaling of a case."""
        return self.workspace.given(load_cases()[case])

    def records(self, case: str, measures: Iterable[str] = ()) -> list[CaseRecord]:
        """Return the records of a case, one per cell. Cells without a record are executed; errors are in the records.

        Args:
            case: Name of the case.
            measures: What to measure in its first cell, in addition to the plan.
        """
        first, *others = self.plan.cells(case)
        cells = [replace(first, measures=first.measures | {*measures}), *others]
        return [self.executor.submit(cell).result() for cell in cells]

    def first_record(self, case: str, measures: Iterable[str] = ()) -> CaseRecord:
        """Return the record of a case's first cell, which contains all measures in addition to the quality."""
        first = self.first_cell(case)
        return self.executor.submit(replace(first, measures=first.measures | {*measures})).result()

    def first_cell(self, case: str) -> Cell:
        """Return the first cell of a case."""
        return self.plan.cells(case)[0]

    def result(self, case: str) -> CaseResult:
        """Return the result of a case, with all seeds and folds."""
        return as_results(self.records(case))[0]

    def prepared(self, case: str) -> Prepared:
        """Return the predictor of a case's first cell.

        Raises:
            ModelError: The case failed.
        """
        return self.executor.prepared(self.first_cell(case))

    def judgement(self, case: str, metrics: Iterable[str] = ()) -> CaseJudgement:
        """Return all verdicts on a case. Cells without a record are executed first.

        Args:
            case: Name of the case.
            metrics: Metrics to judge in addition to those of the case and the baseline.
        """
        self.records(case)
        return judge_case(self.store, case, self.baseline, tuple(metrics))

    def header(self) -> list[str]:
        """Return the lines to show before the first case: tier, data, baseline and folder."""
        compared = f"compared with baseline {self.store.info().baseline}"
        if isinstance(self.baseline, NotComparedError):
            compared = "no comparison, as requested"
        return [f"btlib {self.tier.name}: {self.store.info().data}", f"  {compared}; records in {self.store.path}"]

    def close(self) -> None:
        """Close the executor, and call the functions in `ends`."""
        self.executor.close()
        for end in reversed(self.ends):
            end()
