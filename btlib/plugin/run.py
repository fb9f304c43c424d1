"""One run of a tier: executes each case once however many items ask, and asks the gate."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from btlib.baselines import Baseline, Verdict
from btlib.baselines.held import NotComparedError
from btlib.cases import Case, Prepared, Work, load_cases
from btlib.data.dataset import Dataset
from btlib.errors import BaselineError, BtlibWarning
from btlib.evaluation.catalogue import METRICS
from btlib.plugin.explaining import explain_case
from btlib.plugin.options import Options
from btlib.plugin.reports import fail
from btlib.plugin.terminal import Terminal
from btlib.plugin.throughput import Throughput
from btlib.protocol import Tier
from btlib.registry import unknown_name
from btlib.reporting.comparison import verdicts
from btlib.results import CaseResult, Failure
from btlib.runs import CaseRecord, Explained, RunFolder
from btlib.runs.execute import run_case
from btlib.runs.held_out import HeldOut
from btlib.runs.results import as_results
from btlib.runs.speed import judge_timing
from btlib.speed import memory
from btlib.splits import Split
from btlib.types import Scaling


@dataclass(eq=False)
class Run:
    """The run of a tier.

    Attributes:
        tier: Its settings, with what the user asked for.
        work: What its cases get, but for images at a size and scaling of their own.
        truth: The samples at the protocol's size and scaling.
        split: Which of them train, validate and test.
        folder: What it leaves behind.
        baseline: What its cases are held against, or why there is none.
        terminal: Told of progress.
        options: What the user asked for.
        seeds: The seeds that each case is measured with.
        load: Gives the samples of this run at a size and scaling.
        judged: Case and metric → the gate's word, of the items that asked so far.
        ends: Called when the session ends.
    """

    tier: Tier
    work: Work
    truth: Dataset
    split: Split
    folder: RunFolder
    baseline: Baseline | BaselineError
    terminal: Terminal
    options: Options
    seeds: tuple[int, ...]
    load: Callable[[int, Scaling], Dataset]
    judged: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    ends: list[Callable[[], None]] = field(default_factory=list)
    _ready: dict[str, Prepared] = field(default_factory=dict)

    def record(self, case: str, seed: int) -> CaseRecord:
        """The record of a case and seed, executed if it has not been in this run; its errors are in the record."""
        path = self.folder.record_path(case, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # another xdist worker may be at it
            if path.exists():
                return self.folder.record_at(path)
            self._release(but=case)
            with self.terminal.speaking():
                result = run_case(
                    _case(case),
                    replace(self.work_of(case), seed=seed),
                    self.tier.name,
                    self.folder,
                    HeldOut(self.given(case), self.truth, self.split),
                    self.options.timeout,
                )
        if result.prepared is not None and seed == self.work.seed:
            self._keep(case, result.prepared)
        return result.record

    def result(self, case: str) -> CaseResult:
        """What was measured of a case, all seeds together."""
        return as_results([self.record(case, seed) for seed in self.seeds])[0]

    def prepared(self, case: str) -> Prepared:
        """The predictor of a case with the first seed; the item fails where there is none."""
        record = self.record(case, self.work.seed)
        if record.outcome != "done":
            fail(f"case {case} has no predictor: {record.error}", record.outcome, self._title(case))
        if case not in self._ready:  # another worker made the record, or another case came between
            self._release(but=case)
            self._keep(case, _case(case).prepare(replace(self.work_of(case), retrain=False)))
        return self._ready[case]

    def given(self, case: str) -> Dataset:
        """The samples as a case takes them: at its own size and scaling, or else the recipe's or the protocol's."""
        size = _case(case).image_size or self.tier.protocol.image_size
        scaling = _case(case).scaling or self.tier.recipe.scaling or self.tier.protocol.scaling
        return self.load(size, scaling)

    def work_of(self, case: str) -> Work:
        """What a case gets."""
        given = self.given(case)
        train, val = given.part(self.split.train), given.part(self.split.val)
        return replace(self.work, train=train, val=val, data=given.fingerprint, case=case)

    def batch(self, case: str, size: int) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
        """Ids and images of so many test samples as a case takes them, repeated where they are few."""
        dataset = self.given(case)
        at = np.resize(self.split.test, size)
        return dataset.ids[at], np.ascontiguousarray(dataset.images[at])

    def verdict(self, case: str, metric: str) -> Verdict:
        """The gate's verdict on a metric of a case, whether the case declares it or not.

        The item fails where there is no such metric.
        """
        if metric not in METRICS:
            fail(str(unknown_name("metric", metric, METRICS)), "error")
        result = self.result(case)
        asked = replace(result, metrics={**result.metrics, metric: METRICS[metric].version})
        found = verdicts(asked, self.baseline, self.options.against, strict=self.options.strict)
        return next(verdict for verdict in found if verdict.metric == metric)

    def check(self, case: str, metric: str) -> Verdict:
        """Fail the item unless the gate holds; an inconclusive verdict warns, or fails where the user is strict."""
        verdict = self.judged[case, metric] = self.verdict(case, metric)
        records = ", ".join(str(self.folder.record_path(case, seed)) for seed in self.seeds)
        message = f"{verdict.describe()}\n  record     {records}"
        if verdict.failed or (verdict.status == "inconclusive" and self.options.strict):
            could_run = verdict.status not in get_args(Failure)
            fail(message, verdict.status, None if could_run else self._title(case))
        if verdict.status == "inconclusive":
            warnings.warn(message, BtlibWarning, stacklevel=2)
        return verdict

    def throughput(self, benchmark: Any, case: str, figure: str, images: int, function: Callable[[], object]) -> None:
        """Time a function in turns with the thesis path; the item fails where the case has become slower.

        Args:
            benchmark: pytest-benchmark's fixture.
            case: Whose figure it is.
            figure: Such as "inference, batch 16".
            images: How many images one call works on.
            function: Returns when the device is done.
        """
        benchmark.group = f"{self.tier.name}: {figure}"
        benchmark.extra_info.update(case=case, images=images, task=self.truth.task.name)
        timing = self.speed.measure(benchmark, _case(case), self.prepared(case), figure, images, function)
        if timing is None or isinstance(self.baseline, BaselineError):
            return
        verdict = judge_timing(
            self.record(case, self.work.seed),
            figure,
            timing,
            self.baseline,
            self.speed.noise,
            self.folder.info(),
            self.tier.speed_margin,
        )
        benchmark.extra_info["gate"] = f"{verdict.status}: {verdict.reason}"
        if verdict.status == "slower":
            fail(f"case {case}, {figure}: SLOWER\n  {verdict.reason}", "regressed")

    def explain(self, case: str) -> Explained:
        """Occlusion maps of a few test samples, measured and kept in the run's folder; the item fails where there is no
        predictor."""
        prepared, given = self.prepared(case), self.given(case)
        return explain_case(case, prepared, given, self.split, self.tier, self.folder, self.work.say)

    @cached_property
    def speed(self) -> Throughput:
        """Measures speed; its process lives until the session ends."""
        protocol, recipe = self.tier.protocol, self.tier.recipe
        return Throughput(
            self.folder, self.tier.bench_seconds, recipe.backbone, protocol.image_size, self.options.device
        )

    def close(self) -> None:
        """End what the run started."""
        self._ready.clear()
        if "speed" in self.__dict__:
            self.speed.close()
        for end in reversed(self.ends):
            end()

    def header(self) -> list[str]:
        """What a reader must know of the run before its first item."""
        compared = f"held against baseline {self.folder.info().baseline}"
        if isinstance(self.baseline, NotComparedError):
            compared = "compared with nothing, as asked"
        return [f"btlib {self.tier.name}: {self.folder.info().data}", f"  {compared}; records in {self.folder.path}"]

    def _release(self, but: str) -> None:
        """Let the last case's predictor go, and what the thesis path did beside it, before another case comes."""
        self._ready = {case: prepared for case, prepared in self._ready.items() if case == but}
        if "speed" in self.__dict__:
            self.speed.release()
        memory.release()

    def _title(self, case: str) -> str:
        return f"{case} ({self.tier.name})"

    def _keep(self, case: str, prepared: Prepared) -> None:
        """One predictor at a time: seven models need not fit into memory together."""
        self._ready.clear()
        self._ready[case] = prepared


def _case(name: str) -> Case:
    return load_cases()[name]
