"""The life of a baseline: what a run would change, and the one way in which a measured baseline is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from btlib.errors import BaselineError
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline, Verdict, judge
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.from_results import MARGIN, baseline_of, sound, with_costs
from btlib.gate.rule import other_rendering, unlike
from btlib.gate.verdict import COULD_NOT_TELL, HOLDS
from btlib.registry import unknown_name
from btlib.results import CaseResult
from btlib.runs.record import RunInfo
from btlib.runs.results import run_results
from btlib.runs.store import RunStore


@dataclass(frozen=True, eq=False)
class Proposal:
    """What accepting a run as a baseline would do.

    Attributes:
        new: The baseline it would become.
        old: The one it would replace; None where there is none.
        verdicts: The run held against the old one; empty where there is none.
        changes: How the run's recipe and environment differ from the old one's, a line each.
        refusals: Why it may not be accepted at all, each with what to do.
        worse: The metrics that got worse, or of which that cannot be told; these need `allow_worse`.
    """

    new: Baseline
    old: Baseline | None
    verdicts: tuple[Verdict, ...]
    changes: tuple[str, ...]
    refusals: tuple[str, ...]
    worse: tuple[Verdict, ...]

    @property
    def cases(self) -> tuple[str, ...]:
        """The cases that come from the run; any others are the old baseline's."""
        kept = self.old.cases if self.old else {}
        return tuple(name for name, case in sorted(self.new.cases.items()) if case is not kept.get(name))


def propose(
    folder: Path,
    name: str,
    reason: str,
    margins: Mapping[str, float] | None = None,
    old: Baseline | None = None,
    *,
    add: bool = False,
) -> Proposal:
    """What would change if a run became the baseline; nothing is written.

    Args:
        folder: Of the run.
        name: Of the baseline.
        reason: Why these numbers are to be the baseline.
        margins: Metric → loss that the gate will tolerate, in the metric's unit. By default what the old baseline has
            for the case, else 0.02 for metrics that are shares of one.
        old: The baseline it would replace.
        add: Keep the old one's other cases as they are; each of the run's then says itself how it was made.

    Raises:
        RecordError: It is no run, has no records, a case failed or has none, or its cases were made under different
            conditions.
        BaselineError: A metric that is no share of one has no margin.
    """
    run = RunStore(folder)
    info, records = run.info(), run.records()
    results = sound(run_results(run), folder)
    new = with_costs(
        baseline_of(info, records, results, name, reason, _margins(results, margins or {}, old)), run, records
    )
    verdicts = () if old is None else tuple(v for r in results if r.case in old.cases for v in judge(r, old))
    new = new if old is None else _with_first(old, new)
    return Proposal(
        new=new if old is None or not add else _added(old, new),
        old=old,
        verdicts=verdicts,
        changes=() if old is None else tuple(_changes(old, new)),
        refusals=tuple(_refusals(info, new, old, add)),
        worse=tuple(v for v in verdicts if _is_worse(v)),
    )


def accept(proposal: Proposal, path: Path, *, allow_worse: bool = False) -> None:
    """Write a proposed baseline, atomically.

    Raises:
        BaselineError: It is refused, or worse than the old one and not `allow_worse`; the file stays as it is.
    """
    problems = list(proposal.refusals)
    if proposal.worse and not allow_worse:
        message = ", ".join(f"{v.case} {v.metric} {_loss(v)}" for v in proposal.worse)
        problems.append(f"quality got worse: {message}; give --allow-worse if that is meant")
    if problems:
        raise BaselineError("\n  ".join(["not accepted:", *problems]), where=path)
    proposal.new.save(path)


def _with_first(old: Baseline, new: Baseline) -> Baseline:
    """Each case keeps the numbers with which it was first accepted, lest losses within the margin add up unseen."""

    def first(name: str) -> BaselineCase:
        before = old.cases[name]
        return before.first or before.model_copy(update={"made": old.made(name), "speed": {}, "peak_memory_mib": None})

    cases = {
        name: case.model_copy(update={"first": first(name)}) if name in old.cases else case
        for name, case in new.cases.items()
    }
    return new.model_copy(update={"cases": cases})


def _added(old: Baseline, new: Baseline) -> Baseline:
    cases = {name: case.model_copy(update={"made": new.made(name)}) for name, case in new.cases.items()}
    return old.model_copy(update={"cases": old.cases | cases})


def _margins(
    results: list[CaseResult], given: Mapping[str, float], old: Baseline | None
) -> dict[str, dict[str, float]]:
    """By case and metric: what is given, else what the old baseline holds that very case to, else 0.02.

    Raises:
        BaselineError: A metric is given that no case has.
    """
    tables = [result.samples for result in results if result.runs]
    for metric in given:
        if not any(METRICS[metric].available(table) for table in tables):
            known = dict.fromkeys(name for table in tables for name in METRICS.of_table(table))
            raise unknown_name("metric of this run", metric, known, where="--margin")
    return {result.case: _margins_of(result, given, old) for result in results}


def _margins_of(result: CaseResult, given: Mapping[str, float], old: Baseline | None) -> dict[str, float]:
    before = {} if old is None else {m: _margin(old, result.case, m) for m in old.gated(result.case)}
    found = dict.fromkeys(result.metrics) | before | dict(given)
    for metric, margin in found.items():
        if margin is None and METRICS[metric].unit != "1":
            raise BaselineError(
                f"{metric} is measured in {METRICS[metric].unit}: how much loss to tolerate is not clear",
                where="--margin",
                hint=f"give --margin {metric}=VALUE",
            )
    return {metric: MARGIN if margin is None else margin for metric, margin in found.items()}


def _margin(baseline: Baseline, case: str, metric: str) -> float | None:
    figure = baseline.figure(case, metric)
    return None if figure is None else figure.margin


def _is_worse(verdict: Verdict) -> bool:
    """Regressed, or perhaps; and a loss within the margin too where it is beyond doubt, lest small losses add up.

    A metric that the old baseline does not have cannot have got worse.
    """
    if verdict.status not in (*HOLDS, "missing-baseline"):
        return True
    if verdict.low is None or verdict.high is None:
        return False
    return (verdict.high if METRICS[verdict.metric].sign > 0 else -verdict.low) < 0


def _loss(verdict: Verdict) -> str:
    message = verdict.status in COULD_NOT_TELL or verdict.difference is None
    return verdict.status if message else f"{verdict.difference:+.4f}"


def _refusals(info: RunInfo, new: Baseline, old: Baseline | None, add: bool) -> list[str]:
    found = []
    if new.schema_version != 2:
        found.append("its records are of an older version of btlib and do not know their data: measure the cases again")
    if info.dirty:
        found.append("the run was made from a checkout with uncommitted changes: commit them and run again")
    for name, case in new.cases.items():
        if case.code is not None and case.code.dirty and not info.dirty:
            found.append(
                f"case {name} comes from {case.code.file}, which is not committed as it was run: commit and run again"
            )
    if old is None:
        return found
    if old.kind == "published":
        return [*found, f"{old.name!r} holds published numbers, which a run cannot replace: choose another name"]
    if old.tier != new.tier:
        found.append(f"the run is of the tier {new.tier}, the baseline of {old.tier}: choose another name")
    if new.conditions.n_test < old.conditions.n_test:
        found.append(f"it has {new.conditions.n_test} test samples, the baseline {old.conditions.n_test}: measure all")
    rendering = other_rendering(new.conditions, old.conditions)
    if add and rendering:
        found.append(f"the cases that stay were measured on other images ({rendering}): choose another name")
    differing = unlike(new.conditions, old.conditions)
    if differing:
        found.append(f"other conditions ({'; '.join(differing)}): choose another name, or delete the file first")
    lost = () if add else old.cases.keys() - new.cases.keys()
    found += [f"case {name} of the baseline is not in the run: run all, or give --add to keep it" for name in lost]
    for name in old.cases.keys() & new.cases.keys():
        ours, theirs = len(new.cases[name].runs), len(old.cases[name].runs)
        if ours < theirs:
            found.append(f"case {name} has {ours} seeds, the baseline {theirs}: run with --bt-seeds {theirs}")
        for metric in set(old.gated(name)) - set(new.gated(name)):
            found.append(f"case {name} is held to {metric} and the run has none: measure it, or choose another name")
    return sorted(found)


def _changes(old: Baseline, new: Baseline) -> list[str]:
    sides = (
        ("recipe ", old.recipe or {}, new.recipe or {}),
        ("environment ", old.environment, new.environment),
        ("", {"commit": old.commit}, {"commit": new.commit}),
        ("", {"images": old.conditions.input_fingerprint}, {"images": new.conditions.input_fingerprint}),
    )
    margins = [
        f"margin of {case} {metric}: {before} → {after}"
        for case in sorted(old.cases.keys() & new.cases.keys())
        for metric in old.gated(case)
        if (before := _margin(old, case, metric)) != (after := _margin(new, case, metric))
    ]
    return margins + [
        f"{title}{key}: {before.get(key, '–')} → {after.get(key, '–')}"
        for title, before, after in sides
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
