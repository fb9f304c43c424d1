"""Run of a tier for pytest's items, which read its records and verdicts and fail accordingly."""

from functools import cached_property
from typing import Any, get_args

from btlib.api.benchmark_run import BenchmarkRun
from btlib.cases import Prepared
from btlib.errors import warn
from btlib.evaluation.catalogue import metrics_of
from btlib.explain.explained import Explained
from btlib.explain.maps import Maps
from btlib.gate import Verdict
from btlib.gate.verdict import HOLDS
from btlib.plugin.benchmarks import replay
from btlib.plugin.reports import fail
from btlib.registry import unknown_name
from btlib.results import Failure
from btlib.runs.measuring import EXPLANATION
from btlib.runs.record import CaseRecord


class Run(BenchmarkRun):
    """Run of a tier whose methods fail the pytest item on bad verdicts and errors."""

    @cached_property
    def judged(self) -> dict[tuple[str, str], Verdict]:
        """Case and metric → verdict of an item, for its report."""
        return {}

    def verdict(self, case: str, metric: str) -> Verdict:
        """Return the verdict on a metric of a case, even if the case does not declare the metric.

        The item fails if the metric is unknown.
        """
        known = metrics_of(self.truth.task)
        if metric not in known:
            fail(str(unknown_name("metric", metric, known)), "error")
        found = self.judgement(case, [metric]).verdict(metric)
        assert found is not None  # it was requested
        return found

    def check(self, case: str, metric: str) -> Verdict:
        """Fail the item if the verdict fails; an unclear verdict is a warning, or a failure with `--bt-strict`."""
        verdict = self.judged[case, metric] = self.verdict(case, metric)
        records = ", ".join(str(self.store.record_path(cell)) for cell in self.cells(case))
        message = f"{verdict.describe()}\n  record     {records}"
        if verdict.failed or (verdict.unclear and self.plan.options.strict):
            could_run = verdict.status not in get_args(Failure)
            status = "suspect" if verdict.status in HOLDS else verdict.status  # a subgroup is worse
            fail(message, status, None if could_run else self._title(case))
        if verdict.unclear:
            warn(message, stacklevel=2)
        return verdict

    def predictor_of(self, case: str) -> Prepared:
        """Return the predictor of a case's first cell; the item fails if there is none."""
        self._done(case, ())
        return self.prepared(case)

    def timing(self, benchmark: Any, case: str, measure: str, figure: str) -> bool:
        """Pass a figure of a case's speed to pytest-benchmark; the item fails if the case is slower than the baseline.

        Args:
            benchmark: Fixture of a test that is marked with `@pytest.mark.benchmark(timer=recorded_clock)`.
            case: Name of the case.
            measure: Name of the figure's measurement in `btlib.runs.measuring.MEASURES`.
            figure: Name of the figure, such as "inference, batch 16".

        Returns:
            Whether the case has this figure.
        """
        if not benchmark.enabled:  # pytest-benchmark is switched off
            self._done(case, ())
            benchmark.pedantic(lambda: None, rounds=1)
            return True
        record = self._done(case, [measure])
        timing = record.speed.figures.get(figure) if record.speed is not None else None
        if timing is None:
            return False
        benchmark.group = f"{self.tier.name}: {figure}"
        benchmark.extra_info.update(case=case, images=timing.images, task=self.truth.task.name)
        replay(benchmark, timing.seconds)
        verdict = self.judgement(case).throughput(figure)
        if verdict is not None:
            benchmark.extra_info["gate"] = f"{verdict.status}: {verdict.reason}"
            if verdict.status == "slower":
                fail(f"case {case}, {figure}: SLOWER\n  {verdict.reason}", "regressed")
        return True

    def explained(self, case: str) -> tuple[Explained, Maps] | None:
        """Return the occlusion maps of a few test samples and their measurements; None if the case has none."""
        self._done(case, [EXPLANATION])
        place = self.store.explain_place
        path = place.file(case, "json")
        return (place.at(path), Maps.load(place.file(case, "npz"))) if path.exists() else None

    def _done(self, case: str, measures: Any) -> CaseRecord:
        """Return the record of the first cell; the item fails if the case or a measurement has failed."""
        record = self.first_record(case, measures)
        if record.outcome != "done":
            fail(f"case {case} has no predictor: {record.error}", record.outcome, self._title(case))
        for measure in measures:
            if measure in record.problems:
                fail(f"case {case}, {measure}: {record.problems[measure]}", "error")
        return record

    def _title(self, case: str) -> str:
        return f"{case} ({self.tier.name})"
