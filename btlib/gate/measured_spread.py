"""Store in a baseline how much its cases vary between trainings; the values of the baseline do not change."""

import math
from collections.abc import Sequence
from pathlib import Path

from btlib.errors import BaselineError
from btlib.gate.baseline_case import BaselineCase, Spread
from btlib.gate.comparable import other_truth, undefined, unlike
from btlib.gate.from_results import described_command, sound
from btlib.gate.measured import rounded
from btlib.gate.schema import Baseline
from btlib.gate.sides import distinct, seed_is_ignored, side
from btlib.results import CaseResult
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.results import run_results
from btlib.runs.store import RunStore

FEWEST = 3
"""Trainings from which a spread is stored; the gate uses their number as degrees of freedom."""


def with_spreads(baseline: Baseline, folder: Path) -> Baseline:
    """Return a baseline with the spread of each gated metric, measured by a run with several seeds.

    Args:
        baseline: Measured baseline.
        folder: Folder of a run of all or some of its cases, under the same conditions and with the same recipe.

    Raises:
        RecordError: The folder is not a run, or a case failed or has no record.
        BaselineError: The baseline is published, a case of the run is not in it, was measured under other conditions or
            with another recipe, or has fewer than three seeds.
    """
    if baseline.kind != "measured":
        raise BaselineError("contains published numbers, whose trainings are not known", where=baseline.name)
    run = RunStore(folder)
    info, records = run.info(), run.records()
    if info.stopped:
        raise BaselineError(
            "seeds were added until the verdicts were clear, so the spread would be biased",
            where=folder,
            hint="run with a fixed number of seeds, such as --bt-seeds 5",
        )
    results = sound(run_results(run), folder)
    results = [r for r in results if r.conditions.task.has_images or len(r.runs) > 1] or results  # others have no seeds
    cases = dict(baseline.cases)
    for result in results:
        _require_same(result, baseline, info, records, folder)
        cases[result.case] = _with_spread(result, cases[result.case], described_command(info))
    return baseline.model_copy(update={"cases": cases})


def _with_spread(result: CaseResult, case: BaselineCase, source: str) -> BaselineCase:
    found = dict(case.spread)
    for figure in case.figures:
        if figure.margin is not None:
            trainings = side(result.runs, result, figure.metric)
            variance, interaction = trainings.between(), trainings.interaction()
            assert variance is not None  # there are several seeds
            assert interaction is not None
            found[figure.metric] = Spread(
                sd=rounded(math.sqrt(variance.value)),
                interaction=rounded(math.sqrt(interaction)),
                trainings=len(trainings.values),
                source=source,
            )
    return case.model_copy(update={"spread": found})


def _require_same(
    result: CaseResult, baseline: Baseline, info: RunInfo, records: Sequence[CaseRecord], folder: Path
) -> None:
    """Raise BaselineError if the seeds of a case are not trainings of the baseline's case."""
    known = baseline.cases.get(result.case)
    if known is None:
        raise BaselineError(
            f"{baseline.name!r} has no case {result.case}", where=folder, hint="run the cases of the baseline"
        )
    if len(result.runs) < FEWEST:
        raise BaselineError(
            f"case {result.case}: expected at least {FEWEST} seeds, got {len(result.runs)}",
            where=folder,
            hint="run with --bt-seeds 5",
        )
    if seed_is_ignored(result.runs):
        raise BaselineError(
            f"case {result.case}: all seeds have the same numbers, so they do not show how trainings vary",
            where=folder,
            hint="let the model use its seed; for the same trained model, give --bt-rescore",
        )
    if len(distinct(result.runs)) < FEWEST:
        raise BaselineError(
            f"case {result.case}: expected at least {FEWEST} seeds with different numbers, got "
            f"{len(distinct(result.runs))} of {len(result.runs)}",
            where=folder,
            hint="let the model use its seed, or run with more seeds",
        )
    figures = [figure for figure in known.figures if figure.margin is not None]
    differing = [
        *unlike(result.conditions, baseline.conditions_of(result.case)),
        *other_truth(result, known),
        *(problem for figure in figures for problem in undefined(result, figure.metric, figure)),
    ]
    record = next(record for record in records if record.case == result.case)
    ours, theirs = info.recipe_of(record), baseline.provenance_of(result.case).recipe or {}
    differing += [
        f"recipe, {key}: {ours.get(key)!r}, baseline {theirs.get(key)!r}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]
    if differing:
        raise BaselineError(
            f"case {result.case} was measured in another way than in {baseline.name!r}:\n" + "\n".join(differing),
            where=folder,
            hint="run with the protocol, recipe and data of the baseline",
        )
