"""Open benchmark run. It executes each cell once, when its record is requested, and judges the cases."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from btlib.cases import Prepared, load_cases
from btlib.data.dataset import Dataset
from btlib.errors import BaselineError
from btlib.gate import Baseline
from btlib.gate.judgement import CaseJudgement, judge_case
from btlib.gate.loading import NoBaselineError, NotComparedError
from btlib.gate.verdict import UNCLEAR
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
    _stopped: dict[str, int] = field(default_factory=dict)

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

        With stages, the cells of a stage are executed only if a verdict on the cells before is not clear.

        Args:
            case: Name of the case.
            measures: What to measure in its first cell, in addition to the plan.
        """
        found = [self.first_record(case, measures)]
        for seeds in self.plan.stages:
            cells = self.plan.cells(case, seeds)[len(found) :]
            found += [self.executor.submit(cell).result() for cell in cells]
            if self._stops(case, seeds, found[0].metrics):
                break
        return found

    def cells(self, case: str) -> tuple[Cell, ...]:
        """Return the cells of a case, up to the stage at which it stopped."""
        return self.plan.cells(case, self._stopped.get(case))

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
        if isinstance(self.baseline, NoBaselineError):
            compared = f"no comparison: {self.baseline.problem}"
        return [
            f"btlib {self.tier.name}: {self.store.info().data}",
            f"  {compared}; records in {self.store.path}",
            *self._stages(),
        ]

    def _stages(self) -> list[str]:
        """Return a line on the stages of a run that has stages."""
        *stages, last = self.plan.stages
        if not stages:
            return []
        if isinstance(self.baseline, BaselineError):
            return [f"  seeds: {stages[0]}, the first stage of up to {last}, because there is no baseline to decide by"]
        return [f"  seeds: stages of {', '.join(map(str, stages))} and {last}, until the verdicts on a case are clear"]

    def _stops(self, case: str, seeds: int, declared: Iterable[str]) -> bool:
        """Return whether a case stops after a stage, and store it. The metrics that an item requests have no influence.

        Args:
            case: Name of the case.
            seeds: Number of seeds of the stage, whose cells all have a record.
            declared: Metrics that the case declares.
        """
        last = self.plan.stages[-1]
        if case not in self._stopped:
            begun = any(self.store.record_path(cell).exists() for cell in self._later(case, seeds))
            if seeds < last and (begun or self._is_unclear(case, seeds, declared)):
                self.store.save_stop(case, None)  # where a run is resumed, which stopped because of an error
                return False
            if seeds < last:
                self.store.save_stop(case, seeds)
            self._stopped[case] = seeds
        return seeds >= self._stopped[case]

    def _later(self, case: str, seeds: int) -> tuple[Cell, ...]:
        """Return the cells of a case after a stage."""
        return self.plan.cells(case)[len(self.plan.cells(case, seeds)) :]

    def _is_unclear(self, case: str, seeds: int, declared: Iterable[str]) -> bool:
        """Judge a case after a stage, and report if a verdict is not clear."""
        gated = [] if isinstance(self.baseline, BaselineError) else self.baseline.gated(case)
        judged = judge_case(self.store, case, self.baseline, seeds=seeds).verdicts
        found = {v.status for v in judged if v.status in UNCLEAR and v.metric in {*declared, *gated}}
        if found:
            following = self.plan.stages[self.plan.stages.index(seeds) + 1]
            next_seeds = " and ".join(map(str, self.plan.seeds[seeds:following]))
            count = f"{seeds} seed{'s' if seeds > 1 else ''}"
            what = f"seed{'s' if following - seeds > 1 else ''} {next_seeds}"
            self.workspace.progress.report(f"case {case}: {' and '.join(sorted(found))} with {count}, measuring {what}")
        return bool(found)

    def close(self) -> None:
        """Close the executor, and call the functions in `ends`."""
        self.executor.close()
        for end in reversed(self.ends):
            end()
