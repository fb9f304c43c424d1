"""Significance tests of every pair of cases on the same samples, for Dice and accuracy, corrected for multiplicity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from btlib import stats
from btlib.data.grouping import Unit
from btlib.errors import RecordError, StatsError
from btlib.registry import Registry
from btlib.reporting.names import Naming
from btlib.results import CaseResult, mean_in_order

TESTED = ("dice", "accuracy")
"""Metrics of the tests; the accuracy of one sample is 1 (right) or 0 (wrong)."""

ALL_PAIRS = "all pairs"


@dataclass(frozen=True)
class Family:
    """Family of planned comparisons; p is corrected for the number of tests in the family.

    Attributes:
        title: Title, used as a heading.
        tests: Tests: one case, the case it is compared with, and the metric.
    """

    title: str
    tests: tuple[tuple[str, str, str], ...]


FAMILIES: Registry[Family] = Registry("family of comparisons", "btlib.comparisons")
"""Planned comparisons of installed packages, by name."""

MARGIN = 0.02
"""Margin of the equivalence test; smaller differences count as not relevant."""

ALPHA = 0.05
"""Error rate of a family of tests."""


@dataclass(frozen=True)
class PairTest:
    """Test of one case against another on the same samples.

    Attributes:
        family: Name of the planned family, or "all pairs"; p is corrected within each family.
        first: Name of the first case.
        second: Name of the second case.
        metric: "dice", "accuracy", or a score of the task.
        n: Number of samples.
        unit: Unit of resampling: "patient", or "sample" if patients are unknown.
        n_units: Number of units.
        difference: Mean of first − second, over samples and seeds.
        low: Lower bound of the difference's 95 % interval.
        high: Upper bound of the interval.
        p: Two-sided p of no mean difference, by sign flips of patients and a t corrected for skewness.
        p_is_bound: Whether p is the least that the flips can give, and so only an upper bound.
        p_holm: p, Holm-corrected within the family.
        p_holm_is_bound: Whether the corrected p is only an upper bound.
        p_mcnemar: p of the exact McNemar test, which treats samples as independent; only for accuracy with one seed.
        effect: Cohen's d_z for Dice, odds ratio of the discordant samples for accuracy; None if undefined.
        equivalent: Whether the 90 % interval lies within ±`margin` (two one-sided tests at 5 %).
        undecided: Whether the Monte Carlo error of the corrected p includes 0.05, so that there is no conclusion.
        words: Conclusion in words.
        sign: 1 if higher is better, −1 if lower is better.
        margin: Margin of the equivalence test: that of a score, else 0.02.
    """

    family: str
    first: str
    second: str
    metric: str
    n: int
    unit: Unit
    n_units: int
    difference: float
    low: float
    high: float
    p: float
    p_is_bound: bool
    p_holm: float
    p_holm_is_bound: bool
    p_mcnemar: float | None
    effect: float | None
    equivalent: bool
    undecided: bool
    words: str
    sign: int = 1
    margin: float = MARGIN

    @property
    def different(self) -> bool:
        """Whether the corrected test shows a difference."""
        return self.p_holm < ALPHA and not self.undecided


def have_same_samples(results: Sequence[CaseResult]) -> bool:
    """Whether cases can be tested in pairs; cases without images may have different samples."""
    return all(r.conditions.task.has_images or r.conditions == results[0].conditions for r in results)


def pair_tests(results: Sequence[CaseResult]) -> tuple[PairTest, ...]:
    """Test every pair of cases, planned comparisons first.

    Args:
        results: Cases of one run, measured under the same conditions.

    Raises:
        RecordError: The cases were measured under different conditions.
        StatsError: There are fewer than two patients.
    """
    for result in results[1:]:
        if result.conditions != results[0].conditions:
            raise RecordError(
                f"case {result.case} and case {results[0].case} were measured under different conditions",
                hint="compare cases of one run",
            )
    names = {result.case: result for result in results}
    planned = {name: [test for test in FAMILIES[name].tests if {*test[:2]} <= {*names}] for name in FAMILIES}
    tested = dict.fromkeys([*TESTED, *(score.name for r in results[:1] for score in r.conditions.task.scores)])
    planned[ALL_PAIRS] = [(b.case, a.case, m) for m in tested for a, b in combinations(results, 2)]
    return tuple(test for family, asked in planned.items() for test in _family(family, asked, names))


def one_training_note(results: Sequence[CaseResult]) -> str:
    """Return a note on the limits of the tests if a case has only one seed, else ""."""
    if all(len(result.runs) > 1 for result in results):
        return ""
    return (
        "A case with one seed is a single training run. The tests therefore compare trained models, not architectures: "
        "another training run may differ by more than the interval shows (--bt-seeds 3 shows how much)."
    )


def _family(family: str, asked: Sequence[tuple[str, str, str]], names: dict[str, CaseResult]) -> list[PairTest]:
    """Return the tests of a family, with the same draws of patients for all of them."""
    pairs = [(names[a], names[b], m) for a, b, m in asked if _has(names[a], m) and _has(names[b], m)]
    if not pairs:
        return []
    first = pairs[0][0]
    margins = {metric: _margin(first, metric) for _, _, metric in pairs}
    values = {(r.case, m): mean_in_order(r.runs, first.samples, m) for one, other, m in pairs for r in (one, other)}
    differences = np.stack([values[a.case, m] - values[b.case, m] for a, b, m in pairs])
    wide = stats.paired_many(differences, first.groups).rows()
    narrow = stats.paired_many(differences, first.groups, confidence=1 - 2 * ALPHA).rows()
    found = stats.family_tests(differences, first.groups, ALPHA)
    tests = [
        PairTest(
            family=family,
            first=a.case,
            second=b.case,
            metric=metric,
            n=outer.n,
            unit=first.unit,
            n_units=outer.n_groups,
            difference=outer.difference,
            low=outer.low,
            high=outer.high,
            p=float(found.p[k]),
            p_is_bound=bool(found.p_is_bound[k]),
            p_holm=float(found.holm[k]),
            p_holm_is_bound=bool(found.holm_is_bound[k]),
            p_mcnemar=_mcnemar(values[a.case, metric], values[b.case, metric], metric),
            effect=_effect(values[a.case, metric], values[b.case, metric], metric),
            equivalent=stats.inside_margin(inner.low, inner.high, margins[metric]),
            undecided=bool(found.undecided[k]),
            words="",
            sign=first.definitions[metric].sign,
            margin=margins[metric],
        )
        for k, ((a, b, metric), outer, inner) in enumerate(zip(pairs, wide, narrow, strict=True))
    ]
    return [replace(test, words=reading(test)) for test in tests]


def _has(result: CaseResult, metric: str) -> bool:
    return bool(result.runs) and result.definitions[metric].available(result.samples)


def _margin(result: CaseResult, metric: str) -> float:
    """Return the margin of the equivalence test: that of a score, else the usual one."""
    score = result.conditions.task.score(metric)
    return MARGIN if score is None or score.margin is None else score.margin


def _mcnemar(a: NDArray[np.float64], b: NDArray[np.float64], metric: str) -> float | None:
    return stats.mcnemar(a, b).p if metric == "accuracy" and _correctness(a, b) else None


def _correctness(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Whether all values are 1 (right) or 0 (wrong); means over several seeds may lie between."""
    return bool(np.isin(np.concatenate([a, b]), (0.0, 1.0)).all())


def _effect(a: NDArray[np.float64], b: NDArray[np.float64], metric: str) -> float | None:
    try:
        if metric != "accuracy":
            return stats.cohens_dz(a, b)
        ratio = stats.matched_odds_ratio(*stats.discordant(a, b)).ratio if _correctness(a, b) else np.inf
    except StatsError:  # no spread or no discordant samples: the effect size is undefined
        return None
    return ratio if np.isfinite(ratio) else None


def reading(test: PairTest, name: Naming = str) -> str:
    """Return the conclusion in words: the result of the corrected test and of the equivalence test.

    Args:
        test: Test of a pair.
        name: Function that formats the names of the cases.
    """
    if test.different:
        words = (
            f"{name(test.first)} is {'better' if test.sign * test.difference > 0 else 'worse'} than {name(test.second)}"
        )
        return words + (f", but not by a relevant amount (within ±{test.margin:g})" if test.equivalent else "")
    if test.equivalent:
        return f"no relevant difference (within ±{test.margin:g})"
    if test.undecided:
        return f"cannot tell: p is too close to {ALPHA:g} for the number of random flips"
    return "no significant difference; a relevant difference is not ruled out"
