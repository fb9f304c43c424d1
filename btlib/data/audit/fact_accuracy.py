"""How well one fact about a sample predicts its class: cross-validated by patient, with an interval."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from btlib.stats.resampling import bootstrap_weights

_BINS = 8
_FOLDS = 5
_DRAWS = 1000
_PERMUTATIONS = 1000
_ENOUGH = 20  # permutations that reach the accuracy, after which it is clear that chance explains it


class FactAccuracy(NamedTuple):
    """Balanced accuracy with which a fact predicts the class.

    Attributes:
        accuracy: Mean over the classes of the share that is predicted, 0…1.
        low: Lower end of the 95 % interval over patients.
        high: Upper end of the interval.
        chance: Accuracy without any information, 1 / number of classes.
    """

    accuracy: float
    low: float
    high: float
    chance: float


def fact_accuracy(
    fact: Sequence[str] | Sequence[float], classes: NDArray[np.int64], groups: NDArray[np.int64]
) -> FactAccuracy:
    """Cross-validate the simplest classifier: for each value of the fact, the class that it is most typical of.

    Numbers are sorted into eight bins with equal numbers of training samples. Several classes that a value is equally
    typical of share the credit, so a fact without information gives exactly chance.

    Args:
        fact: Value of each sample, texts or numbers, [n].
        classes: Class of each sample, from 0, [n]; at least two classes.
        groups: Patient of each sample; a patient is in one fold, and the interval resamples patients, [n].
    """
    names, members = np.unique(groups, return_inverse=True)
    credit, k = _cross_validated(_folds(fact, members, len(names)), classes), int(classes.max()) + 1
    return _with_interval(credit, classes, members, len(names), k)


def p_value(fact: Sequence[str] | Sequence[float], classes: NDArray[np.int64], groups: NDArray[np.int64]) -> float:
    """Return the probability of at least this accuracy if the fact says nothing, by permuting the classes of patients.

    The interval of `fact_accuracy` is too narrow for this question, because samples with the same value share a
    prediction. The permutations end early when chance explains the accuracy.

    Args:
        fact: As for `fact_accuracy`.
        classes: As for `fact_accuracy`; the classes of a patient are permuted as one, the most frequent of its samples.
        groups: As for `fact_accuracy`.
    """
    names, members = np.unique(groups, return_inverse=True)
    folds, k = _folds(fact, members, len(names)), int(classes.max()) + 1
    counts = np.zeros((len(names), k))
    np.add.at(counts, (members, classes), 1)
    own = counts.argmax(axis=1)
    rng, reached, drawn = np.random.default_rng(0), 0, 0
    accuracy = _balanced(_cross_validated(folds, classes), classes)
    while drawn < _PERMUTATIONS and reached < _ENOUGH:
        permuted = rng.permutation(own)[members]
        reached += _balanced(_cross_validated(folds, permuted), permuted) >= accuracy - 1e-12
        drawn += 1
    return (reached + 1) / (drawn + 1)


class _Fold(NamedTuple):
    """One fold: whether each sample is in it, bool [n], and the code of each sample's value, int64 [n], of `size`."""

    test: NDArray[np.bool_]
    codes: NDArray[np.int64]
    size: int


def _folds(fact: Sequence[str] | Sequence[float], members: NDArray[np.int64], n: int) -> list[_Fold]:
    of = np.random.default_rng(0).permutation(n)[members] % min(_FOLDS, n)
    return [_Fold(of == one, *_coded(fact, of != one)) for one in np.unique(of) if (of != one).any()]


def _cross_validated(folds: Sequence[_Fold], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    credit = np.zeros(len(classes))
    for test, codes, size in folds:
        credit[test] = _credit(codes, size, classes, ~test, int(classes.max()) + 1)[test]
    return credit


def _balanced(credit: NDArray[np.float64], classes: NDArray[np.int64]) -> float:
    total = np.bincount(classes)
    return float((np.bincount(classes, credit)[total > 0] / total[total > 0]).mean())


def _coded(fact: Sequence[str] | Sequence[float], train: NDArray[np.bool_]) -> tuple[NDArray[np.int64], int]:
    """Return the number of each sample's value or bin, and how many there are."""
    values = np.asarray(fact)
    if values.dtype.kind in "US":
        found, codes = np.unique(values, return_inverse=True)
        return np.asarray(codes, np.int64), len(found)
    edges = np.unique(np.quantile(values[train], np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64), len(edges) + 1


def _credit(
    codes: NDArray[np.int64], size: int, classes: NDArray[np.int64], train: NDArray[np.bool_], k: int
) -> NDArray[np.float64]:
    counts = np.bincount(codes[train] * k + classes[train], minlength=size * k).reshape(size, k)
    rates = counts / np.maximum(counts.sum(axis=0), 1)
    best = rates >= rates.max(axis=1, keepdims=True) - 1e-12
    return np.asarray((best / best.sum(axis=1, keepdims=True))[codes, classes])


def _with_interval(
    credit: NDArray[np.float64], classes: NDArray[np.int64], members: NDArray[np.int64], n: int, k: int
) -> FactAccuracy:
    right, total = np.zeros((n, k)), np.zeros((n, k))
    np.add.at(right, (members, classes), credit)
    np.add.at(total, (members, classes), 1)
    present = total.sum(axis=0) > 0
    accuracy = float((right.sum(axis=0)[present] / total.sum(axis=0)[present]).mean())
    drawn = []
    for weights in bootstrap_weights(np.random.default_rng(0), n, _DRAWS):
        seen = weights @ total[:, present]
        rates = np.where(seen > 0, weights @ right[:, present] / np.maximum(seen, 1e-12), np.nan)
        drawn.append(np.nanmean(rates, axis=1))
    low, high = np.quantile(np.concatenate(drawn), (0.025, 0.975))
    return FactAccuracy(accuracy, float(low), float(high), 1 / int(present.sum()))
