"""The life of a baseline: what a run would change, and the one way in which a measured baseline is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from btlib.baselines import Baseline, Figure, Verdict, judge
from btlib.baselines.gate import unlike
from btlib.baselines.schema import SCHEMA, BaselineCase
from btlib.errors import BaselineError, RecordError
from btlib.evaluation.catalogue import METRICS
from btlib.results import CaseResult
from btlib.runs.folder import RunFolder
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import as_results

MARGIN = 0.02
"""The loss of Dice, accuracy and other shares that the gate tolerates unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """What accepting a run as a baseline would do.

    Attributes:
        new: The baseline it would become.
        old: The one it would replace; None where there is none.
        verdicts: The run held against the old one; empty where there is none.
        changes: How recipe and environment differ from the old one's, a line each.
        refusals: Why it may not be accepted at all, each with what to do.
        worse: The metrics that got worse; these need `allow_worse`.
    """

    new: Baseline
    old: Baseline | None
    verdicts: tuple[Verdict, ...]
    changes: tuple[str, ...]
    refusals: tuple[str, ...]
    worse: tuple[Verdict, ...]


def propose(
    folder: Path, name: str, reason: str, margins: Mapping[str, float] | None = None, old: Baseline | None = None
) -> Proposal:
    """What would change if a run became the baseline; nothing is written.

    Args:
        folder: Of the run.
        name: Of the baseline.
        reason: Why these numbers are to be the baseline.
        margins: Metric → loss that the gate will tolerate, in the metric's unit. By default the old baseline's, else
            0.02 for metrics that are shares of one.
        old: The baseline it would replace.

    Raises:
        RecordError: It is no run, has no records, a case failed, or its cases were made under different conditions.
        BaselineError: A metric that is no share of one has no margin.
    """
    run = RunFolder(folder)
    info, records = run.info(), run.records()
    results = _sound(as_results(records), folder)
    new = _with_costs(
        _baseline(info, records, results, name, reason, _margins(results, margins or {}, old)), run, records
    )
    verdicts = () if old is None else tuple(v for r in results if r.case in old.cases for v in judge(r, old))
    return Proposal(
        new=new,
        old=old,
        verdicts=verdicts,
        changes=() if old is None else tuple(_changes(old, new)),
        refusals=tuple(_refusals(info, new, old)),
        worse=tuple(v for v in verdicts if _is_worse(v)),
    )


def accept(proposal: Proposal, path: Path, *, allow_worse: bool = False) -> None:
    """Write a proposed baseline, atomically.

    Raises:
        BaselineError: It is refused, or worse than the old one and not `allow_worse`; the file stays as it is.
    """
    problems = list(proposal.refusals)
    if proposal.worse and not allow_worse:
        told = ", ".join(f"{v.case} {v.metric} {v.difference:+.4f}" for v in proposal.worse)
        problems.append(f"quality got worse: {told}; give --allow-worse if that is meant")
    if problems:
        raise BaselineError("\n  ".join(["not accepted:", *problems]), where=path)
    proposal.new.save(path)


def reference(results: list[CaseResult], name: str) -> Baseline:
    """Measured results as a baseline in memory, to hold others against: 0.02 is tolerated of what is a share of one.

    Args:
        results: Of one run, or of one record.
        name: What to call it.

    Raises:
        RecordError: There are none, one failed, or they were made under different conditions.
    """
    sound = _sound(results, Path(name))
    margins = {m: MARGIN for r in sound for m in r.metrics if METRICS[m].unit == "1"}
    return Baseline(
        schema=SCHEMA,
        name=name,
        kind="measured",
        title=name,
        source=name,
        created=f"{datetime.now(UTC):%Y-%m-%d}",
        reason="for a comparison",
        conditions=sound[0].conditions,
        cases={result.case: _case(result, margins) for result in sound},
    )


def _sound(results: list[CaseResult], folder: Path) -> list[CaseResult]:
    if not results:
        raise RecordError("has no records", where=folder, mend="run `pytest benchmarks` to its end")
    for result in results:
        if result.failure is not None:
            raise RecordError(
                f"case {result.case} failed: {result.message}",
                where=folder,
                mend="a baseline is made of cases that worked: mend it and run again",
            )
        if result.conditions != results[0].conditions:
            raise RecordError(
                f"case {result.case} was made under other conditions than case {results[0].case}",
                where=folder,
                mend="run all cases anew in one run",
            )
    return results


def _margins(results: list[CaseResult], given: Mapping[str, float], old: Baseline | None) -> dict[str, float]:
    asked = dict.fromkeys([*(metric for result in results for metric in result.metrics), *given])
    found = {}
    for metric in asked:
        before = [f.margin for c in (old.cases.values() if old else ()) for f in c.figures if f.metric == metric]
        margin = given.get(metric, next((m for m in before if m is not None), None))
        if margin is None and METRICS[metric].unit != "1":
            raise BaselineError(
                f"{metric} is measured in {METRICS[metric].unit}: how much loss to tolerate is not clear",
                where="--margin",
                mend=f"give --margin {metric}=VALUE",
            )
        found[metric] = MARGIN if margin is None else margin
    return found


def _baseline(
    info: RunInfo,
    records: Sequence[CaseRecord],
    results: list[CaseResult],
    name: str,
    reason: str,
    margins: Mapping[str, float],
) -> Baseline:
    return Baseline(
        schema=SCHEMA,
        name=name,
        kind="measured",
        tier=info.tier,
        title=f"{info.tier}: {info.data}",
        source=info.command,
        created=f"{datetime.now(UTC):%Y-%m-%d}",
        reason=reason,
        commit=info.commit,
        recipe=info.recipe,
        environment=records[0].environment,
        conditions=results[0].conditions,
        cases={result.case: _case(result, margins) for result in results},
    )


def _with_costs(baseline: Baseline, run: RunFolder, records: Sequence[CaseRecord]) -> Baseline:
    """Speed and memory beside the numbers: bound to the machine, for reading and not for gating."""
    speeds, peaks = run.speeds(), {record.case: record.peak_memory_mib for record in records}
    cases = {
        name: case.model_copy(
            update={
                "images_per_second": dict(speeds[name].images_per_second) if name in speeds else {},
                "peak_memory_mib": peaks[name],
            }
        )
        for name, case in baseline.cases.items()
    }
    return baseline.model_copy(update={"cases": cases})


def _case(result: CaseResult, margins: Mapping[str, float]) -> BaselineCase:
    asked = [m for m in dict.fromkeys([*result.metrics, *margins]) if METRICS[m].available(result.slices)]
    return BaselineCase(
        title=result.title,
        figures=[_figure(result, metric, margins[metric]) for metric in asked if metric in margins],
        runs=list(result.runs),
    )


def _figure(result: CaseResult, metric: str, margin: float) -> Figure:
    values = result.values(metric)
    return Figure(
        metric=metric,
        version=METRICS[metric].version,
        value=round(float(np.mean([run.mean() for run in result.seed_values(metric)])), 6),
        aggregation="slice-mean",
        unit=METRICS[metric].unit,
        n=len(values),
        std=round(float(values.std(ddof=1)), 6) if len(values) > 1 else None,
        margin=margin,
        source="measured by btlib",
    )


def _is_worse(verdict: Verdict) -> bool:
    """Regressed, or perhaps; and a loss within the margin too where it is beyond doubt, lest small losses add up."""
    if verdict.status in ("regressed", "inconclusive"):
        return True
    if verdict.low is None or verdict.high is None:
        return False
    return (verdict.high if METRICS[verdict.metric].sign > 0 else -verdict.low) < 0


def _refusals(info: RunInfo, new: Baseline, old: Baseline | None) -> list[str]:
    found = []
    if info.dirty:
        found.append("the run was made from a checkout with uncommitted changes: commit them and run again")
    if old is None:
        return found
    if old.kind == "published":
        return [*found, f"{old.name!r} holds published numbers, which a run cannot replace: choose another name"]
    if old.tier != new.tier:
        found.append(f"the run is of the tier {new.tier}, the baseline of {old.tier}: choose another name")
    if new.conditions.n_test < old.conditions.n_test:
        found.append(f"it has {new.conditions.n_test} test slices, the baseline {old.conditions.n_test}: measure all")
    differing = unlike(new.conditions, old.conditions)
    if differing:
        found.append(f"other conditions ({'; '.join(differing)}): choose another name, or delete the file first")
    lost = old.cases.keys() - new.cases.keys()
    found += [f"case {name} of the baseline is not in the run: run all cases" for name in lost]
    for name in old.cases.keys() & new.cases.keys():
        ours, theirs = len(new.cases[name].runs), len(old.cases[name].runs)
        if ours < theirs:
            found.append(f"case {name} has {ours} seeds, the baseline {theirs}: run with --bt-seeds {theirs}")
    return sorted(found)


def _changes(old: Baseline, new: Baseline) -> list[str]:
    sides = (
        ("recipe ", old.recipe or {}, new.recipe or {}),
        ("environment ", old.environment, new.environment),
        ("", {"commit": old.commit}, {"commit": new.commit}),
    )
    return [
        f"{title}{key}: {before.get(key, '–')} → {after.get(key, '–')}"
        for title, before, after in sides
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
