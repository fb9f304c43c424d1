"""Difference between a measured case and its baseline, with the variance of samples and of trainings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.errors import StatsError
from btlib.evaluation.aggregate import gated_value
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.schema import Baseline
from btlib.gate.sides import crossed, distinct, seed_is_ignored, side
from btlib.gate.trainings import Spreads, is_rescored, spreads
from btlib.results import CaseResult, SeedRun

NO_TRAINING = (
    "trainings are not in the interval: it covers other samples of the same model or program. If a model was trained "
    "anew, give one measurement per seed, or state that it was retrained (btlib compare --retrained, retrained=True)"
)
"""Note on numbers of the user without seeds."""

SEED_IGNORED = (
    "all seeds of a side have the same numbers, so they count as one training: let the model use its seed, or give one "
    "seed"
)
"""Note on seeds that the case ignores."""

SEEDS_REPEATED = (
    "some seeds of a side have the numbers of another seed, so they count as one training with it: let the model use "
    "its seed, or leave out these seeds"
)
"""Note on seeds some of which are equal."""


@dataclass(frozen=True)
class Difference:
    """Difference measured − baseline.

    Attributes:
        found: Difference with its variances.
        measured: Measured value, the mean over distinct trainings.
        method: What the interval covers, for readers.
        note: What readers must know about the interval; "" for nothing.
        spread: Standard deviation between trainings, of both sides if they differ; empty for the same models.
        assumed: Whether this standard deviation is assumed, because none is known.
    """

    found: stats.Crossed
    measured: float
    method: str
    note: str = ""
    spread: tuple[float, ...] = ()
    assumed: bool = False


def difference(
    result: CaseResult,
    case: BaselineCase,
    figure: ReferenceValue,
    baseline: Baseline,
    *,
    rescore: bool = False,
    newcomer: bool = False,
) -> Difference:
    """Return the difference of a measured case from a case of the baseline.

    Args:
        result: Measured result; `result.case` is the name of the case in the baseline.
        case: Numbers to compare with.
        figure: Figure of the metric.
        baseline: Baseline, whose other cases tell how trainings vary.
        rescore: Whether the user states that the models are the same on both sides.
        newcomer: Whether the measured case is another one than the baseline's, with a spread of its own.

    Raises:
        StatsError: There is a single sample or patient.
    """
    if not case.runs:
        return _from_published(result, figure, baseline)
    ours, theirs = (side(runs, result, figure.metric) for runs in (result.runs, case.runs))
    measured = float(np.mean(by_seed(distinct(result.runs), figure, result.batch_mean_size)))
    same = is_rescored(result.runs, case.runs)
    if same or rescore:
        found = crossed(ours.averaged(), theirs.averaged(), None)
        note = (
            "" if same else "compared as the same models (--bt-rescore): the interval does not cover another training"
        )
        models = "the same models"
        if same and not result.conditions.task.has_images:
            models, note = "without trainings", "" if _equal(ours.samples, theirs.samples) else NO_TRAINING
        return Difference(found, measured, f"paired by {result.unit}, {models}", note)
    known = spreads(result, ours, theirs, figure.metric, baseline, newcomer=newcomer)
    shared = (known.ours, known.theirs) if newcomer else known.ours
    found = crossed(ours, theirs, shared, known.interaction)
    note = "\n".join(filter(None, [_on_repeated(result.runs, case.runs), _note(known, result)]))
    return Difference(found, measured, f"paired by {result.unit}, over trainings", note, *_sds(known))


def _on_repeated(*sides: Sequence[SeedRun]) -> str:
    """Return a note if seeds of a side have the same numbers; "" otherwise."""
    if any(seed_is_ignored(runs) for runs in sides):
        return SEED_IGNORED
    return SEEDS_REPEATED if any(len(distinct(runs)) < len(runs) for runs in sides) else ""


def _equal(ours: NDArray[np.float64] | None, theirs: NDArray[np.float64] | None) -> bool:
    return ours is not None and theirs is not None and np.array_equal(ours, theirs)


def by_seed(runs: Sequence[SeedRun], figure: ReferenceValue, batch_size: int) -> tuple[float, ...]:
    """Return the value of each seed, aggregated as the figure of the baseline."""
    return tuple(gated_value(run.samples, figure.metric, figure.aggregation, batch_size) for run in runs)


def _from_published(result: CaseResult, figure: ReferenceValue, baseline: Baseline) -> Difference:
    """Return the difference from a published mean: two independent sets of samples.

    Without a published standard deviation, that of a proportion is used for accuracy, else the measured one. A figure
    that is not a mean over samples, such as a mean of batch means, is compared with the same aggregate.
    """
    ours = side(result.runs, result, figure.metric)
    if ours.samples is None:
        raise StatsError(
            "a published value of all samples together has no interval",
            where=figure.metric,
            hint="leave out its margin",
        )
    mean = ours.samples.mean(axis=0)
    std = figure.std
    if std is None and figure.metric == "accuracy":
        std = math.sqrt(figure.value * (1 - figure.value))
    elif std is None:
        std = float(mean.std(ddof=1)) if len(mean) > 1 else 0.0
    known = spreads(result, ours, None, figure.metric, baseline, newcomer=False)
    found = stats.crossed_with_published(
        ours.samples, figure.value, std, figure.n or len(mean), ours.groups, between_trainings=known.ours
    )
    measured = float(np.mean(by_seed(distinct(result.runs), figure, result.batch_mean_size)))
    exact = replace(found, difference=measured - figure.value)
    method = f"unpaired, by {result.unit}, over trainings"
    return Difference(exact, measured, method, _note(known, result), *_sds(known))


def _note(known: Spreads, result: CaseResult) -> str:
    """Return what readers must know if the spread between trainings is not known; "" if it is."""
    if known.assumed is None:
        return ""
    if not result.conditions.task.has_images:
        return (
            f"the spread between trainings is not known: a standard deviation of {known.assumed:g} is assumed, so that "
            "only a large loss is found. Give the values of several seeds on both sides"
        )
    return (
        f"the spread between trainings is not known: a standard deviation of {known.assumed:g} is assumed, so that "
        "only a large loss is found. Measure it with --bt-seeds 5 and store it with `btlib baseline spread`; if the "
        "models are the same, give --bt-rescore"
    )


def _sds(known: Spreads) -> tuple[tuple[float, ...], bool]:
    """Return the standard deviations between trainings, and whether they are assumed."""
    found = tuple(dict.fromkeys(math.sqrt(one.value) for one in (known.ours, known.theirs)))
    return found, known.assumed is not None
