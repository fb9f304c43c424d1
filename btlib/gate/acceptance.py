"""Propose and accept a run as a baseline. Every measured baseline is written by this module."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from btlib.errors import BaselineError
from btlib.evaluation.catalogue import metrics_of
from btlib.evaluation.subgroup import Subgroup, subgroups_of
from btlib.gate import Baseline, Verdict
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.comparable import other_rendering, unlike
from btlib.gate.from_results import MARGIN, baseline_of, sound, with_costs
from btlib.gate.gate_options import GateOptions
from btlib.gate.margins import margins_of
from btlib.gate.recipes import differences
from btlib.gate.rule import judge_with
from btlib.gate.verdict import COULD_NOT_TELL, HOLDS, UNCLEAR
from btlib.registry import unknown_name
from btlib.results import CaseResult, Conditions
from btlib.runs.record import RunInfo
from btlib.runs.results import run_results
from btlib.runs.store import RunStore

STAGED = (
    "seeds were added until the verdicts were clear, so its numbers are biased towards clear verdicts: run with a "
    "fixed number of seeds"
)
"""Why a run in stages is not accepted."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Effect of accepting a run as a baseline.

    Attributes:
        new: Baseline that would be written.
        old: Baseline that would be replaced; None if there is none.
        verdicts: Verdicts on the run compared with the old baseline; empty if there is none.
        changes: Differences in margins, recipe, environment, commit and images from the old baseline, one per line.
        refusals: Reasons why the run cannot be accepted, each with what to do.
        worse: Verdicts on metrics that got worse or could not be compared; accepting them needs `allow_worse`.
    """

    new: Baseline
    old: Baseline | None
    verdicts: tuple[Verdict, ...]
    changes: tuple[str, ...]
    refusals: tuple[str, ...]
    worse: tuple[Verdict, ...]

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases that come from the run; all others come from the old baseline."""
        old_cases = self.old.cases if self.old else {}
        return tuple(name for name, case in sorted(self.new.cases.items()) if case is not old_cases.get(name))


def propose(
    folder: Path,
    name: str,
    reason: str,
    margins: Mapping[str, float] | None = None,
    old: Baseline | None = None,
    *,
    add: bool = False,
    move_first: Sequence[str] = (),
) -> Proposal:
    """Return what would change if a run became the baseline; nothing is written.

    Args:
        folder: Folder of the run.
        name: Name of the baseline.
        reason: Why these numbers become the baseline.
        margins: Metric → loss that the gate will tolerate, in the metric's unit. The default is the old baseline's
            margin for the case, else the task's, else 0.02 for metrics without a unit (unit "1").
        old: Baseline that would be replaced.
        add: Whether the old baseline's other cases stay as they are. Each case of the run then stores its own
            provenance.
        move_first: Cases whose first accepted numbers are forgotten: slow losses are counted from this run on.

    Raises:
        RecordError: The folder is not a run, has no records, a case failed or has no record, or the cases were
            measured under different conditions.
        BaselineError: A margin is out of range, a metric with a unit other than "1" has none, or a case of `move_first`
            is not in the run.
    """
    run = RunStore(folder)
    info, records = run.info(), run.records()
    results = sound(run_results(run), folder)
    new = with_costs(
        baseline_of(info, records, results, name, reason, _margins(results, margins or {}, old)), run, records
    )
    for case in move_first:
        if case not in new.cases:
            raise unknown_name("case of this run", case, new.cases, where="--move-first")
    verdicts = () if old is None else _verdicts(results, old, info, move_first)
    new = new if old is None else _with_first(old, new, move_first)
    return Proposal(
        new=new if old is None or not add else _added(old, new),
        old=old,
        verdicts=verdicts,
        changes=() if old is None else tuple(_changes(old, new)),
        refusals=tuple(_refusals(info, new, old, add)),
        worse=tuple(v for v in verdicts if _is_worse(v, metrics_of(new.conditions_of(v.case).task)[v.metric].sign)),
    )


def accept(proposal: Proposal, path: Path, *, allow_worse: bool = False) -> None:
    """Write a proposed baseline, atomically.

    Raises:
        BaselineError: The proposal is refused, or it is worse than the old baseline and `allow_worse` is not set. The
            file is not changed.
    """
    problems = list(proposal.refusals)
    if proposal.worse and not allow_worse:
        losses = ", ".join(f"{v.case} {v.metric} {_loss(v)}" for v in proposal.worse)
        problems.append(f"quality got worse, or this is not decided: {losses}; give --allow-worse if this is intended")
    if problems:
        raise BaselineError("\n  ".join(["not accepted:", *problems]), where=path)
    proposal.new.save(path)


def _verdicts(results: list[CaseResult], old: Baseline, info: RunInfo, moved: Sequence[str]) -> tuple[Verdict, ...]:
    """Return the verdicts on the run; slow losses of the cases in `moved` are intended and are not judged."""
    cases = {
        name: case.model_copy(update={"first": None}) if name in moved else case for name, case in old.cases.items()
    }
    since = old.model_copy(update={"cases": cases})
    options = GateOptions(alpha=info.alpha, looks=info.looks, rescore=info.rescore)
    return tuple(v for r in results if r.case in old.cases for v in judge_with(r, since, options))


def _with_first(old: Baseline, new: Baseline, moved: Sequence[str]) -> Baseline:
    """Store the first accepted numbers and the spread with each case.

    The first numbers let the gate notice losses within the margin that add up. The spread of older trainings stays
    valid if the recipe is the same.
    """

    def first(name: str) -> BaselineCase:
        before = old.cases[name]
        return before.first or before.model_copy(
            update={"made": old.provenance_of(name), "speed": {}, "peak_memory_mib": None}
        )

    cases = {
        name: case.model_copy(
            update={
                "first": None if name in moved else first(name),
                "spread": old.cases[name].spread if _same_recipe(old, new, name) else {},
            }
        )
        if name in old.cases
        else case
        for name, case in new.cases.items()
    }
    return new.model_copy(update={"cases": cases, "spreads": old.spreads if old.recipe == new.recipe else {}})


def _same_recipe(old: Baseline, new: Baseline, case: str) -> bool:
    return old.provenance_of(case).recipe == new.provenance_of(case).recipe


def _added(old: Baseline, new: Baseline) -> Baseline:
    cases = {name: case.model_copy(update={"made": new.provenance_of(name)}) for name, case in new.cases.items()}
    return old.model_copy(update={"cases": old.cases | cases})


def _margins(
    results: list[CaseResult], given: Mapping[str, float], old: Baseline | None
) -> dict[str, dict[str, float]]:
    """Return the margins by case and metric: the given one, else that of the old baseline or of the task, else 0.02.

    Raises:
        BaselineError: A margin is out of range, or is given for a metric that no case has.
        UnknownNameError: The task has a margin for a metric that does not exist.
    """
    for result in results:
        for metric, _ in result.conditions.task.margins:
            if metric not in result.definitions:
                raise unknown_name(
                    "metric", metric, result.definitions, where="margins of the task ([gate] in task.toml)"
                )
    known = {name: r.definitions[name] for r in results if r.runs for name in _known(r, given)}
    for metric, margin in given.items():
        if metric in known:
            margins_of(known[metric]).require(
                margin, f"margin of {metric}", error=BaselineError, hint="for example dice=0.02"
            )
        else:
            raise unknown_name("metric of this run", metric, known, where="--margin")
    return {result.case: _margins_of(result, given, old) for result in results}


def _known(result: CaseResult, given: Iterable[str]) -> list[str]:
    """Return the metrics of a case; for each given metric of a subgroup, also the same metric of every subgroup."""
    names = [*result.definitions.of_table(result.samples)]
    wholes = {whole for whole, subgroup in map(Subgroup.parse, given) if subgroup is not None}
    parts = [f"{whole}@{one.kind}:{one.value}" for whole in wholes for one in subgroups_of(result.samples)]
    defined = result.definitions
    return names + [name for name in parts if name in defined and defined[name].available(result.samples)]


def _margins_of(result: CaseResult, given: Mapping[str, float], old: Baseline | None) -> dict[str, float]:
    before = {} if old is None else {m: _margin(old, result.case, m) for m in old.gated(result.case)}
    declared = {score.name: score.margin for score in result.conditions.task.scores if score.margin is not None}
    has = _known(result, given)
    of_task = {m: v for m, v in result.conditions.task.margins if m in has}
    found = dict.fromkeys(result.metrics) | of_task | before | declared | {m: v for m, v in given.items() if m in has}
    for metric, own in declared.items():
        if own != found[metric]:
            raise BaselineError(
                f"the margin of {metric} is {own:g}, as its definition states, not {found[metric]:g}",
                where="--margin",
                hint="change the margin where the score is defined, such as in the test",
            )
    for metric, margin in found.items():
        unit = result.definitions[metric].unit
        if margin is None and unit != "1":
            raise BaselineError(
                f"{metric} is measured in {unit}: there is no default for the tolerated loss",
                where="--margin",
                hint=f"give --margin {metric}=VALUE",
            )
    return {metric: MARGIN if margin is None else margin for metric, margin in found.items()}


def _margin(baseline: Baseline, case: str, metric: str) -> float | None:
    figure = baseline.figure(case, metric)
    return None if figure is None else figure.margin


def _is_worse(verdict: Verdict, sign: int) -> bool:
    """Whether a metric got worse, or could not be compared, and so needs `allow_worse`.

    A loss within the margin also counts if its whole interval is below 0, so that small losses do not add up. A metric
    that is not in the old baseline cannot get worse. A loss in a subgroup counts, too.
    """
    if verdict.warned or verdict.status not in (*HOLDS, "missing-baseline"):
        return True
    if verdict.low is None or verdict.high is None:
        return False
    return (verdict.high if sign > 0 else -verdict.low) < 0


def _loss(verdict: Verdict) -> str:
    if verdict.status in COULD_NOT_TELL or verdict.difference is None:
        return verdict.status
    digits = verdict.decimals
    loss = f"{verdict.difference:+.{digits}f}"
    loss += "".join(f" ({one.name} {one.difference:+.{digits}f})" for one in verdict.warned)
    return f"{loss} ({verdict.status})" if verdict.status in UNCLEAR else loss


def _refusals(info: RunInfo, new: Baseline, old: Baseline | None, add: bool) -> list[str]:
    found = []
    if new.schema_version != 2:
        found.append(
            "its records are from an older version of btlib and do not identify their data: measure the cases again"
        )
    if info.stopped:
        found.append(STAGED)
    if info.dirty:
        found.append("the run was made from a checkout with uncommitted changes: commit them and run again")
    for name, case in new.cases.items():
        if case.code is not None and case.code.dirty and not info.dirty:
            found.append(
                f"case {name} comes from {case.code.file}, and the version that ran is not committed: "
                "commit it and run again"
            )
    if old is None:
        return found
    if old.kind == "published":
        return [*found, f"{old.name!r} contains published numbers, which a run cannot replace: choose another name"]
    if old.tier != new.tier:
        found.append(f"the tier of the run is {new.tier}, that of the baseline is {old.tier}: choose another name")
    for whose, ours, theirs in _conditions(new, old):
        if ours.n_test < theirs.n_test:
            found.append(f"{whose}it has {ours.n_test} test samples, the baseline has {theirs.n_test}: measure all")
        if differing := [*unlike(ours, theirs), *_other_samples(ours, theirs)]:
            found.append(
                f"{whose}the conditions differ ({'; '.join(differing)}): choose another name, or delete the file first"
            )
    rendering = other_rendering(new.conditions, old.conditions)
    if add and rendering:
        found.append(
            f"the other cases of the baseline were measured on other images ({rendering}): choose another name"
        )
    lost = () if add else old.cases.keys() - new.cases.keys()
    found += [f"case {name} of the baseline is not in the run: run all, or give --add to keep it" for name in lost]
    for name in old.cases.keys() & new.cases.keys():
        seeds, wanted = len(new.cases[name].runs), len(old.cases[name].runs)
        if seeds < wanted:
            found.append(f"case {name} has {seeds} seeds, the baseline has {wanted}: run with --bt-seeds {wanted}")
        for metric in set(old.gated(name)) - set(new.gated(name)):
            found.append(
                f"case {name} has no {metric}, which has a margin in the baseline: measure it, or choose another name"
            )
    return sorted(found)


def _conditions(new: Baseline, old: Baseline) -> list[tuple[str, Conditions, Conditions]]:
    """Return the conditions to compare; cases without images have their own."""
    if new.conditions.task.has_images or old.conditions.task.has_images:
        return [("", new.conditions, old.conditions)]
    both = sorted(new.cases.keys() & old.cases.keys())
    return [(f"case {name}: ", new.conditions_of(name), old.conditions_of(name)) for name in both]


def _other_samples(new: Conditions, old: Conditions) -> list[str]:
    """Return a difference if a case without images has other ids or groups, which `unlike` does not compare."""
    same = new.task.has_images or new.truth_fingerprint == old.truth_fingerprint
    return [] if same else ["other ids or groups"]


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
    return [*margins, *_own_recipe_changes(old, new)] + [
        f"{title}{key}: {before.get(key, '–')} → {after.get(key, '–')}"
        for title, before, after in sides
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _own_recipe_changes(old: Baseline, new: Baseline) -> list[str]:
    """Return the changes of the recipes of single cases that are no changes of the baseline's recipe."""
    of_all = differences(old.recipe or {}, new.recipe or {})
    changes: dict[str, list[str]] = {}
    for case in sorted(old.cases.keys() & new.cases.keys()):
        before, after = old.provenance_of(case).recipe, new.provenance_of(case).recipe
        for name, pair in differences(before, after).items() if before and after else ():
            if of_all.get(name) != pair:
                changes.setdefault(f"{name}: {pair[0]} → {pair[1]}", []).append(case)
    return [f"recipe of {', '.join(cases)}: {text}" for text, cases in changes.items()]
