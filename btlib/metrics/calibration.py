"""Whether probabilities of classes can be believed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.errors import StatsError
from btlib.metrics.checks import check_probabilities

SMALLEST = 1e-6
"""Probabilities below it count as it: tables keep six digits, and the logarithm of 0 would hide all else."""


def brier(class_prob: NDArray[np.float64], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Brier score of every sample: squared error summed over the classes, 0…2.

    Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Args:
        class_prob: Probabilities [n, k], rows summing to 1.
        truth: True classes 0…k-1, [n].

    Raises:
        PredictionError: Of different lengths, empty, no probabilities, or a class out of range.
    """
    check_probabilities(class_prob, truth)
    return np.asarray(((class_prob - np.eye(class_prob.shape[1])[truth]) ** 2).sum(axis=1))


def nll(class_prob: NDArray[np.float64], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Negative log-likelihood of every sample in nats, 0…13.8: minus the logarithm of the true class's probability.

    Gneiting and Raftery 2007, doi 10.1198/016214506000001437.

    Args:
        class_prob: Probabilities [n, k], rows summing to 1; below 1e-6 they count as 1e-6.
        truth: True classes 0…k-1, [n].

    Raises:
        PredictionError: Of different lengths, empty, no probabilities, or a class out of range.
    """
    check_probabilities(class_prob, truth)
    return np.asarray(-np.log(np.maximum(class_prob[np.arange(len(truth)), truth], SMALLEST)))


@dataclass(frozen=True, eq=False)
class Bins:
    """Samples sorted by the probability of their most probable class into bins of equal width.

    Attributes:
        count: Samples in each bin, int64 [bins].
        confidence: Sum of that probability over the samples of each bin, float64 [bins].
        right: How many of them are classified rightly, int64 [bins].
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    right: NDArray[np.int64]


def confidence_bins(class_prob: NDArray[np.float64], truth: NDArray[np.integer], bins: int = 15) -> Bins:
    """What a calibration curve is drawn from.

    Args:
        class_prob: Probabilities [n, k], rows summing to 1.
        truth: True classes 0…k-1, [n].
        bins: How many, 1 or more. A probability at the edge of two belongs to the lower.

    Raises:
        PredictionError: Of different lengths, empty, no probabilities, or a class out of range.
        StatsError: Fewer than one bin.
    """
    check_probabilities(class_prob, truth)
    if bins < 1:
        raise StatsError(f"expected at least 1 bin, got {bins}", where="bins", hint="use 15, as is common")
    confidence, right = class_prob.max(axis=1), class_prob.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)  # bins are open below, closed above
    return Bins(
        np.bincount(place, minlength=bins),
        np.bincount(place, weights=confidence, minlength=bins).astype(np.float64),
        np.bincount(place[right], minlength=bins),
    )


def ece(class_prob: NDArray[np.float64], truth: NDArray[np.integer], bins: int = 15) -> float:
    """Expected calibration error of the most probable class, 0…1 (arXiv 1706.04599).

    The gap between mean probability and accuracy of each bin (see `confidence_bins`) counts by its number of samples.

    Args:
        class_prob: Probabilities [n, k], rows summing to 1.
        truth: True classes 0…k-1, [n].
        bins: How many, 1 or more.

    Raises:
        PredictionError: Of different lengths, empty, no probabilities, or a class out of range.
        StatsError: Fewer than one bin.
    """
    found = confidence_bins(class_prob, truth, bins)
    return float(np.abs(found.confidence - found.right).sum() / len(truth))
