"""Build a baseline in memory from measured results."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from btlib.errors import RecordError
from btlib.gate import Baseline, ReferenceValue
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.measured import mean_value, rounded
from btlib.results import CaseResult
from btlib.runs.provenance import CaseCode
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.store import RunStore

MARGIN = 0.02
"""Default margin: the loss that the gate tolerates for Dice, accuracy and other metrics with unit "1"."""

_FOLDER = "--bt-(?:output|checkpoints|data)"
_FOLDERS = re.compile(rf" (?:'{_FOLDER}=[^']*'|{_FOLDER}[ =](?:'[^']*'|\S+))")
"""Options that name folders of this machine. They are removed from the stored command: no number depends on them."""


def reference(results: list[CaseResult], name: str) -> Baseline:
    """Return measured results as a baseline in memory, to compare others with; scores get their margin.

    Args:
        results: Results of one run or of one record.
        name: Name of the baseline.

    Raises:
        RecordError: There are no results, one failed, or they were measured under different conditions.
    """
    valid = sound(results, Path(name))
    margins = {m: MARGIN for r in valid for m in r.metrics if r.definitions[m].unit == "1"}
    return Baseline(
        name=name,
        kind="measured",
        title=name,
        source=name,
        created=f"{datetime.now(UTC):%Y-%m-%d}",
        reason="for a comparison",
        conditions=valid[0].conditions,
        schema_version=_version(valid[0]),
        cases={result.case: _case(result, _margins(result, margins)) for result in valid},
    )


def _margins(result: CaseResult, default: Mapping[str, float]) -> dict[str, float]:
    """Return the margins of a case: those that its scores declare, and the default ones of metrics that it has."""
    declared = {score.name: score.margin for score in result.conditions.task.scores if score.margin is not None}
    return {metric: margin for metric, margin in default.items() if metric in result.definitions} | declared


def sound(results: list[CaseResult], folder: Path) -> list[CaseResult]:
    """Return the same results if a baseline can be made of them.

    Raises:
        RecordError: There are no results, one failed, they were measured under different conditions, or their number
            of samples differs from the one in their conditions.
    """
    if not results:
        raise RecordError("has no records", where=folder, hint="let the pytest session run to its end")
    for result in results:
        if result.failure is not None:
            raise RecordError(
                f"case {result.case} failed: {result.message}",
                where=folder,
                hint="a baseline needs cases without errors: correct the case and run again",
            )
        for run in result.runs:
            if run.samples.n != result.conditions.n_test:
                raise RecordError(
                    f"case {result.case} has {run.samples.n} samples, expected {result.conditions.n_test}",
                    where=folder,
                    hint="the record was edited or is damaged: run the case again",
                )
        if result.conditions != results[0].conditions and result.conditions.task.has_images:
            raise RecordError(
                f"case {result.case} was measured under other conditions than case {results[0].case}",
                where=folder,
                hint="run all cases again in one run",
            )
    return results


def baseline_of(
    info: RunInfo,
    records: Sequence[CaseRecord],
    results: list[CaseResult],
    name: str,
    reason: str,
    margins: Mapping[str, Mapping[str, float]],
) -> Baseline:
    """Return the results of a run as a baseline; every metric of a case that is in its `margins` gets a margin.

    Its recipe is that of most cases. A case with another one, or without a training, has its own provenance.
    """
    recipes = {record.case: info.recipe_of(record) or None for record in records}
    trained = [recipe for recipe in recipes.values() if recipe is not None]
    baseline = Baseline(
        name=name,
        kind="measured",
        tier=info.tier,
        title=f"{info.tier}: {info.data}",
        source=described_command(info),
        created=f"{datetime.now(UTC):%Y-%m-%d}",
        reason=reason,
        commit=info.commit,
        recipe=max(trained, key=trained.count, default=None),
        environment=records[0].environment,
        conditions=results[0].conditions,
        schema_version=_version(results[0]),
        cases={result.case: _case(result, margins[result.case]) for result in results},
    )
    cases = {
        case: known.model_copy(
            update={
                "code": _code([record.code for record in records if record.case == case]),
                "made": None
                if recipes[case] == baseline.recipe
                else baseline.provenance_of(case).model_copy(update={"recipe": recipes[case]}),
            }
        )
        for case, known in baseline.cases.items()
    }
    return baseline.model_copy(update={"cases": cases})


def described_command(info: RunInfo) -> str:
    """Return the command of a run without the options that name folders of its machine."""
    return _FOLDERS.sub("", info.command)


def _code(codes: Sequence[CaseCode | None]) -> CaseCode | None:
    """Return the code of a case; it is marked as dirty if it was edited between two seeds."""
    first = codes[0]
    if first is None or all(code == first for code in codes):
        return first
    return first.model_copy(update={"dirty": True})


def _version(result: CaseResult) -> Literal[1, 2]:
    """Return the schema version: 1 if the records have no fingerprint of the truth, else 2."""
    return 1 if result.conditions.truth_fingerprint is None else 2


def with_costs(baseline: Baseline, run: RunStore, records: Sequence[CaseRecord]) -> Baseline:
    """Return the baseline with speed and peak memory added; they were measured on the machine of the run."""
    speeds, peaks = run.speeds(), {record.case: record.peak_memory_mib for record in records}
    cases = {
        name: case.model_copy(
            update={
                "speed": {f: t.throughput for f, t in speeds[name].figures.items()} if name in speeds else {},
                "peak_memory_mib": peaks[name],
            }
        )
        for name, case in baseline.cases.items()
    }
    return baseline.model_copy(update={"cases": cases})


def _case(result: CaseResult, margins: Mapping[str, float]) -> BaselineCase:
    asked = [m for m in dict.fromkeys([*result.metrics, *margins]) if result.definitions[m].available(result.samples)]
    return BaselineCase(
        title=result.title,
        figures=[_figure(result, metric, margins[metric]) for metric in asked if metric in margins],
        runs=list(result.runs),
        conditions=None if result.conditions.task.has_images else result.conditions,
    )


def _of_set(result: CaseResult, metric: str, margin: float) -> ReferenceValue:
    """Return the figure of a metric of all samples together, the mean over seeds."""
    value = mean_value(result, metric)
    if value is None:
        raise RecordError(
            f"{metric} has no value for these samples", where=f"case {result.case}", hint="leave out its margin"
        )
    return ReferenceValue(
        metric=metric,
        version=result.definitions[metric].version,
        value=rounded(value),
        aggregation="none",
        unit=result.definitions[metric].unit,
        n=result.samples.n,
        margin=margin,
        source="measured by btlib",
    )


def _figure(result: CaseResult, metric: str, margin: float) -> ReferenceValue:
    if result.definitions[metric].level == "set":
        return _of_set(result, metric, margin)
    inside = result.definitions[metric].members(result.samples)
    if not inside.any():
        raise RecordError(f"no sample belongs to {metric}", where=f"case {result.case}", hint="leave out its margin")
    values = result.values(metric)[inside]
    if unknown := int(np.isnan(values).sum()):
        raise RecordError(
            f"{metric} has no value for {unknown} of {len(values)} samples, but the gate compares means over all",
            where=f"case {result.case}",
            hint="leave out its margin",
        )
    return ReferenceValue(
        metric=metric,
        version=result.definitions[metric].version,
        value=rounded(float(np.mean([run[inside].mean() for run in result.seed_values(metric)]))),
        aggregation="slice-mean",
        unit=result.definitions[metric].unit,
        n=len(values),
        std=rounded(float(values.std(ddof=1))) if len(values) > 1 else None,
        margin=margin,
        source="measured by btlib",
    )
