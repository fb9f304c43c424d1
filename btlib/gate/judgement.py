"""The judgement of a run, `judgement.json`: all verdicts on all cases. It is made once and read by all reports."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from itertools import groupby
from math import isfinite
from typing import Any, Literal, TypeVar

from filelock import FileLock
from pydantic import AliasChoices, ConfigDict, Field

from btlib import fingerprint
from btlib.errors import BaselineError, RecordError
from btlib.gate.gate_options import ALPHA, GateOptions
from btlib.gate.loading import NotComparedError
from btlib.gate.measured import mean_value, with_value
from btlib.gate.newcomers import judge_against, judge_new
from btlib.gate.ranking import Ranking, rankings
from btlib.gate.recipes import with_other_recipe
from btlib.gate.rule import judge_with
from btlib.gate.schema import Baseline
from btlib.gate.throughput import ThroughputVerdict, judge_timing
from btlib.gate.verdict import Verdict
from btlib.results import CaseResult
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import missing_cells, result_of
from btlib.runs.store import RunStore
from btlib.stored import Stored, Strict

RULE = 2
"""Version of the gate's rule. Version 1 had no variance between trainings."""

T = TypeVar("T", Verdict, Ranking)


class CaseJudgement(Strict):
    """All verdicts on one case.

    Attributes:
        case: Name of the case.
        records: Fingerprint of the records that the verdicts are based on.
        verdicts: Verdicts, one for each metric of the case, of its baseline, or requested by a pytest item.
        rankings: For a case that is not in the baseline: its comparisons with the baseline's cases, by metric.
        speed: Verdicts on speed, one for each measured figure.
    """

    case: str
    records: str
    verdicts: list[Verdict] = Field(default_factory=list)
    rankings: list[Ranking] = Field(
        default_factory=list,
        validation_alias=AliasChoices("rankings", "standings"),  # the name in older files
    )
    speed: list[ThroughputVerdict] = Field(default_factory=list)

    def verdict(self, metric: str) -> Verdict | None:
        """Return the verdict on a metric; None if it was not judged."""
        return next((verdict for verdict in self.verdicts if verdict.metric == metric), None)

    def throughput(self, figure: str) -> ThroughputVerdict | None:
        """Return the verdict on a figure of speed; None if it was not judged."""
        return next((verdict for verdict in self.speed if verdict.figure == figure), None)


class Judgement(Stored):
    """All verdicts of a run.

    Attributes:
        baseline: Name and fingerprint of the baseline; None if the run is compared with nothing.
        against: Cases of the baseline that new cases are compared with; None for all.
        strict: Whether another rendering of the samples is "not-comparable".
        alpha: Probability that an unchanged suite has any regression.
        looks: Number of stages after which a case is judged.
        rescore: Whether the models are the same on both sides.
        rule: Version of the rule that made the verdicts; 1 in older files. Verdicts of another rule are made again.
        cases: Judgement of each case, by case name.
    """

    schema_: Literal["btlib-judgement/1"] = Field(default="btlib-judgement/1", alias="schema")
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    baseline: str | None
    against: list[str] | None
    strict: bool
    alpha: float = ALPHA
    looks: int = 1
    rescore: bool = False
    rule: int = 1
    cases: dict[str, CaseJudgement] = Field(default_factory=dict)

    @property
    def verdicts(self) -> list[Verdict]:
        """Verdicts on metrics, of all cases."""
        return [verdict for case in self.cases.values() for verdict in case.verdicts]


def judge_case(
    store: RunStore,
    case: str,
    baseline: Baseline | BaselineError,
    metrics: Sequence[str] = (),
    *,
    seeds: int | None = None,
) -> CaseJudgement:
    """Return the judgement of one case of a run; it is read from `judgement.json` if that has it for the same records.

    A case fails while some of its cells have no record. Its verdicts depend only on its own records and the baseline.

    Args:
        store: The run's folder.
        case: Name of the case; it must have at least one record.
        baseline: Baseline of the run, or the error why there is none.
        metrics: Metrics to judge in addition to those of the case and of the baseline.
        seeds: Number of seeds of a stage, to judge the case as if it stopped there; None judges what it has, and where
            it has not reached a stage with clear verdicts it fails.

    Raises:
        RecordError: A record cannot be read.
    """
    path = store.path / "judgement.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        info = store.info()
        known = stored_judgement(store, info, baseline)
        records = store.records_of(case)
        if seeds is not None:
            info = info.ended(case, seeds)
            records = [record for record in records if record.seed in info.seeds[:seeds]]
        found = _judged_or_known(known, info, records, baseline, metrics)
        if found is not known.cases.get(case):
            known.model_copy(update={"cases": dict(sorted((known.cases | {case: found}).items()))}).save(path)
        return found


def judge_run(store: RunStore, baseline: Baseline | BaselineError) -> Judgement:
    """Return the judgement of all cases of a run that have records; cases in `judgement.json` are not judged again.

    Raises:
        RecordError: A record cannot be read.
    """
    path, info = store.path / "judgement.json", store.info()
    with FileLock(f"{path}.lock"):
        before = stored_judgement(store, info, baseline)
        found = judgement_of(before, info, store.records(), baseline)
        if found != before or not path.exists():
            found.save(path)
        return found


def judgement_of(
    known: Judgement, info: RunInfo, records: Sequence[CaseRecord], baseline: Baseline | BaselineError
) -> Judgement:
    """Return the judgement of records in memory; cases that `known` has for the same records are not judged again."""
    ordered = sorted(records, key=lambda record: (record.case, record.seed, record.fold or ""))
    by_case = {case: list(found) for case, found in groupby(ordered, key=lambda record: record.case)}
    cases = {case: _judged_or_known(known, info, found, baseline, ()) for case, found in by_case.items()}
    return known.model_copy(update={"cases": cases})


def stored_judgement(store: RunStore, info: RunInfo, baseline: Baseline | BaselineError) -> Judgement:
    """Return the stored judgement for the same baseline and options, else an empty one; a damaged file is ignored."""
    identity = _baseline_identity(baseline)
    empty = Judgement(baseline=identity, against=info.against, rule=RULE, **asdict(options_of(info)))
    path = store.path / "judgement.json"
    try:
        found = Judgement.load(path) if path.exists() else None
    except RecordError:
        found = None
    return found if found is not None and found.model_copy(update={"cases": {}}) == empty else empty


def options_of(info: RunInfo) -> GateOptions:
    """Return the gate's settings of a run."""
    return GateOptions(strict=info.strict, alpha=info.alpha, looks=info.looks, rescore=info.rescore)


def _judged_or_known(
    known: Judgement,
    info: RunInfo,
    records: Sequence[CaseRecord],
    baseline: Baseline | BaselineError,
    metrics: Sequence[str],
) -> CaseJudgement:
    found = known.cases.get(records[0].case)
    asked = list(dict.fromkeys([*metrics, *(v.metric for v in (found.verdicts if found else []))]))
    if found is None or found.records != _identity(info, records) or any(found.verdict(m) is None for m in metrics):
        return _judged(info, records, baseline, asked)
    return found


def verdicts(
    result: CaseResult,
    baseline: Baseline | BaselineError,
    against: Sequence[str] | None = None,
    *,
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
    found: Sequence[Verdict] | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdict on each metric of a case, with the measured value, even if the baseline cannot be read.

    Args:
        result: Measured result.
        baseline: Baseline to compare with, or the error why there is none.
        against: References for a case that is not in the baseline; None for all.
        options: Settings of the gate.
        found: Verdicts of `judge_against` for a case that is not in the baseline, if already computed.
    """
    judged = _verdicts(result, baseline, against, options=options, found=found)
    return tuple(with_value(verdict, result) for verdict in judged)


def _verdicts(
    result: CaseResult,
    baseline: Baseline | BaselineError,
    against: Sequence[str] | None,
    *,
    options: GateOptions,
    found: Sequence[Verdict] | None,
) -> tuple[Verdict, ...]:
    if not isinstance(baseline, BaselineError):
        if result.case in baseline.cases:
            return judge_with(result, baseline, options)
        if not _has_references(result):
            reason = f"baseline {baseline.name!r} has no case {result.case!r}"
            return tuple(Verdict(result.case, metric, "missing-baseline", reason) for metric in result.metrics)
        return judge_new(result, baseline, against, options=options, found=found)
    if result.failure is not None:
        return tuple(Verdict(result.case, metric, result.failure, result.message) for metric in result.metrics)
    if isinstance(baseline, NotComparedError):
        return tuple(_measured(result, metric) for metric in result.metrics)
    return tuple(Verdict(result.case, metric, "missing-baseline", str(baseline)) for metric in result.metrics)


def _has_references(result: CaseResult) -> bool:
    """Whether a new case is compared with other cases: not if it has no images, because it may have other samples."""
    return result.conditions.task.has_images


def _measured(result: CaseResult, metric: str) -> Verdict:
    """Return the verdict without a comparison; an undefined value is an error."""
    if mean_value(result, metric) is None:
        return Verdict(result.case, metric, "error", "not measured, or undefined for some samples")
    return Verdict(result.case, metric, "measured")


def _judged(
    info: RunInfo, records: Sequence[CaseRecord], baseline: Baseline | BaselineError, metrics: Sequence[str]
) -> CaseJudgement:
    result = result_of(records, missing_cells(info, records))
    asked = replace(
        result, metrics={**result.metrics, **{metric: result.definitions[metric].version for metric in metrics}}
    )
    against: list[Verdict] | None = None
    options = options_of(info)
    ranked: list[Ranking] = []
    alone = result.failure is not None or not _has_references(result)
    if not isinstance(baseline, BaselineError) and result.case not in baseline.cases and not alone:
        against = judge_against(asked, baseline, info.against, options=options)
        declared = [verdict for verdict in against if verdict.metric in result.metrics]
        ranked = rankings(result, baseline, info.against, options=options, judged=declared)
    found = verdicts(asked, baseline, info.against, options=options, found=against)
    if not isinstance(baseline, BaselineError):
        recipes = info.recipe_of(records[0]), baseline.provenance_of(result.case).recipe
        found = tuple(with_other_recipe(verdict, *recipes) for verdict in found)
    return CaseJudgement(
        case=result.case,
        records=_identity(info, records),
        verdicts=[_finite(verdict) for verdict in found],
        rankings=[_finite(one) for one in ranked],
        speed=_speed(info, records, baseline),
    )


def _speed(info: RunInfo, records: Sequence[CaseRecord], baseline: Baseline | BaselineError) -> list[ThroughputVerdict]:
    if isinstance(baseline, BaselineError):
        return []
    first = next((record for record in records if record.speed is not None), None)
    if first is None or first.speed is None:
        return []
    return [
        judge_timing(first, figure, timing, baseline, first.speed.noisiness, info)
        for figure, timing in first.speed.figures.items()
    ]


def _identity(info: RunInfo, records: Sequence[CaseRecord]) -> str:
    """Return the fingerprint of all records and missing cells that the verdicts are based on."""
    missing = [str(cell) for cell in missing_cells(info, records)]
    return fingerprint.of([record.model_dump(mode="json") for record in records], missing)


def _baseline_identity(baseline: Baseline | BaselineError) -> str | None:
    if isinstance(baseline, NotComparedError):
        return None
    if isinstance(baseline, BaselineError):
        return f"none: {fingerprint.of(str(baseline))}"
    return baseline.identity


def _finite(value: T) -> T:
    """Return the verdict with None instead of NaN and infinities, which JSON cannot represent."""
    changes: Mapping[str, Any] = {
        f.name: None if isinstance(part, float) else ()
        for f in fields(value)
        if (isinstance(part := getattr(value, f.name), float) and not isfinite(part))
        or (isinstance(part, tuple) and not all(isfinite(one) for one in part if isinstance(one, float)))
    }
    return replace(value, **changes)
