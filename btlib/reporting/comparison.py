"""Comparison of a run with its baseline, one row per case: verdict, metrics, throughput, time, model source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from btlib.errors import BaselineError
from btlib.evaluation.catalogue import metrics_of
from btlib.gate import Baseline, Verdict
from btlib.gate.judgement import Judgement
from btlib.gate.measured import mean_value
from btlib.gate.ranking import Ranking
from btlib.gate.step_down import step_down
from btlib.gate.verdict import worst
from btlib.reporting.columns import Value, own_values
from btlib.reporting.stages import stage_lines
from btlib.results import CaseResult
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import missing_cells, result_of
from btlib.runs.speed import Speed
from btlib.runs.throughput import Throughput


@dataclass(frozen=True)
class Row:
    """One case in the comparison.

    Attributes:
        case: Name of the case.
        title: Title of the case.
        status: Worst of the case's verdicts; "reference" for a case that was read from the baseline.
        verdicts: Verdicts, one per metric.
        values: Metric of the catalogue → measured value, the mean over seeds; None if the case has no value.
        seeds: Seeds of the measurement.
        speeds: Speed figure → images/s and ratio to the speed reference.
        peak_memory_mib: Peak memory of the process during prediction, in MiB.
        seconds: Time of the case in this run in seconds, including training, summed over seeds; None for a reference.
        source: Where the models came from; "–" without a model.
        notes: Notes for the reader.
        own: Column of another package → value (see `btlib.reporting.columns`).
    """

    case: str
    title: str
    status: str
    verdicts: tuple[Verdict, ...]
    values: Mapping[str, float | None]
    seeds: tuple[int, ...]
    speeds: Mapping[str, Throughput]
    peak_memory_mib: float | None
    seconds: float | None
    source: str
    notes: tuple[str, ...]
    own: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Comparison of all cases of a run with a baseline.

    Attributes:
        info: Information about the run.
        rows: Rows, one per measured case.
        missing: Cases that were selected for the run but have no record; with the option strict also cases of the
            baseline that no test of the user checked.
        rankings: Comparisons of each case that is not in the baseline with the baseline's cases.
        references: Rows of these cases of the baseline, unless they were measured in this run as well.
    """

    info: RunInfo
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    references: tuple[Row, ...] = ()

    def stepped(self) -> list[Verdict]:
        """Return the suspected losses that Holm's step-down over the suite rejects too."""
        return step_down([verdict for row in self.rows for verdict in row.verdicts], self.info.alpha)

    def stages(self) -> list[str]:
        """Return lines on how many of its seeds each case needed; empty for a run without stages."""
        return stage_lines(self.info, [(row.case, len(row.seeds), row.status) for row in self.rows])


def compare(
    info: RunInfo,
    records: Sequence[CaseRecord],
    speeds: Mapping[str, Speed],
    judgement: Judgement,
    baseline: Baseline | BaselineError,
) -> Comparison:
    """Compare the records of a run, with their verdicts, with the baseline."""
    ordered = sorted(records, key=lambda record: (record.case, record.seed, record.fold or ""))
    by_case = {case: list(cells) for case, cells in groupby(ordered, key=lambda record: record.case)}
    rows = [
        _row(
            cells, result_of(cells, missing_cells(info, cells)), speeds.get(case), tuple(judgement.cases[case].verdicts)
        )
        for case, cells in by_case.items()
    ]
    missing = tuple(case for case in _wanted(info, baseline) if case not in by_case)
    found = tuple(one for case in by_case for one in judgement.cases[case].rankings)
    return Comparison(info, tuple(rows), missing, found, _references(baseline, found, measured=set(by_case)))


def _wanted(info: RunInfo, baseline: Baseline | BaselineError) -> list[str]:
    """Return the cases that a run must have: the planned ones; with strict, also the checks of the user's tests."""
    checks = [] if info.task.has_images or not info.strict or isinstance(baseline, BaselineError) else baseline.cases
    return list(dict.fromkeys([*info.cases, *checks]))


def _references(baseline: Baseline | BaselineError, found: Sequence[Ranking], measured: set[str]) -> tuple[Row, ...]:
    """Return rows of the baseline's cases that new cases are compared with, except cases measured in this run."""
    named = {ranking.reference for ranking in found} - measured
    if isinstance(baseline, BaselineError):
        return ()
    return tuple(_reference(baseline, name) for name in baseline.cases if name in named)


def _reference(baseline: Baseline, name: str) -> Row:
    """Return the row of a baseline case; for a published case only the figures with a margin are known."""
    case, result = baseline.cases[name], baseline.result(name)
    gated = {figure.metric: figure.value for figure in case.figures if figure.margin is not None}
    return Row(
        case=name,
        title=case.title,
        status="reference",
        verdicts=(),
        values={metric: gated.get(metric) for metric in metrics_of(baseline.conditions_of(name).task)}
        if result is None
        else values(result),
        seeds=() if result is None else result.seeds,
        speeds=case.speed,
        peak_memory_mib=case.peak_memory_mib,
        seconds=None,
        source="baseline",
        notes=(),
    )


def values(result: CaseResult) -> dict[str, float | None]:
    """Return the value of every metric, the mean over samples and seeds; None if it was not measured or is undefined.

    With several structures, the metrics of each structure are included.
    """
    known = result.definitions
    names = dict.fromkeys([*known, *(known.of_table(result.samples) if result.runs else ())])
    return {name: mean_value(result, name) for name in names}


def undefined_notes(result: CaseResult) -> list[str]:
    """Return a note for each metric that is undefined for some samples, with their number."""
    found, known = [], result.definitions
    for run in result.runs[:1]:
        for name in known.of_table(run.samples):
            if known[name].level == "sample" and known[name].structure is None:
                count = int(np.count_nonzero(np.isnan(known[name].of(run.samples))))
                if count:
                    of = f"{count} of {run.samples.n} samples"
                    found.append(f"{known[name].title}: {of} have no value and are not in the mean")
    return found


def _row(cells: list[CaseRecord], result: CaseResult, speed: Speed | None, found: tuple[Verdict, ...]) -> Row:
    models = [record.model for record in cells if record.model]
    own, failures = own_values(cells)
    return Row(
        case=result.case,
        title=result.title,
        status=worst(found),
        verdicts=found,
        values=values(result),
        seeds=tuple(dict.fromkeys(record.seed for record in cells)),
        speeds={figure: timing.throughput for figure, timing in speed.figures.items()} if speed else {},
        peak_memory_mib=max((r.peak_memory_mib for r in cells if r.peak_memory_mib), default=None),
        seconds=sum(record.seconds for record in cells),
        source=", ".join(dict.fromkeys(model.source for model in models)) or "–",
        notes=tuple(dict.fromkeys([*_of_models(cells), *_problems(cells), *undefined_notes(result), *failures])),
        own=own,
    )


def _of_models(cells: list[CaseRecord]) -> list[str]:
    return [note for record in cells if record.model for note in record.model.notes]


def _problems(cells: list[CaseRecord]) -> list[str]:
    """Return notes on measurements, such as speed, that failed."""
    return [f"{name}: not measured: {why}" for record in cells for name, why in record.problems.items()]
