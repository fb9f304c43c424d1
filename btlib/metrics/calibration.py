"""Calibration of class probabilities: Brier score, negative log-likelihood and calibration error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.errors import StatsError
from btlib.metrics.checks import check_probabilities
from btlib.ranges import COUNT

SMALLEST = 1e-6
"""Lower limit of probabilities in the logarithm. Tables store six digits, and log(0) would dominate every mean."""


def brier(class_prob: NDArray[np.float64], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Brier score of every sample: squared error summed over the classes, 0…2.

    Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Args:
        class_prob: Class probabilities [n, k]; each row sums to 1.
        truth: True classes 0…k-1, [n].

    Raises:
        PredictionError: The arrays have different lengths or are empty, a value is not a probability, or a class is out
            of range.
    """
    check_probabilities(class_prob, truth)
    return np.asarray(((class_prob - np.eye(class_prob.shape[1])[truth]) ** 2).sum(axis=1))


def nll(class_prob: NDArray[np.float64], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Negative log-likelihood of every sample in nats, 0…13.8: −log of the probability of the true class.

    Gneiting and Raftery 2007, doi 10.1198/016214506000001437.

    Args:
        class_prob: Class probabilities [n, k]; each row sums to 1. Values below 1e-6 count as 1e-6.
        truth: True classes 0…k-1, [n].

    Raises:
        PredictionError: The arrays have different lengths or are empty, a value is not a probability, or a class is out
            of range.
    """
    check_probabilities(class_prob, truth)
    return np.asarray(-np.log(np.maximum(class_prob[np.arange(len(truth)), truth], SMALLEST)))


@dataclass(frozen=True, eq=False)
class Bins:
    """Samples grouped by confidence, the probability of their most probable class, into bins of equal width.

    Attributes:
        count: Number of samples in each bin, int64 [bins].
        confidence: Sum of the confidence over the samples of each bin, float64 [bins].
        right: Number of correctly classified samples in each bin, int64 [bins].
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    right: NDArray[np.int64]


def confidence_bins(class_prob: NDArray[np.float64], truth: NDArray[np.integer], bins: int = 15) -> Bins:
    """Count samples by confidence, for a calibration curve.

    Args:
        class_prob: Class probabilities [n, k]; each row sums to 1.
        truth: True classes 0…k-1, [n].
        bins: Number of bins, 1 or more. A probability on the edge of two bins belongs to the lower bin.

    Raises:
        PredictionError: The arrays have different lengths or are empty, a value is not a probability, or a class is out
            of range.
        StatsError: Fewer than one bin.
    """
    place, confidence, right = _binned(class_prob, truth, bins)
    return Bins(
        np.bincount(place, minlength=bins),
        np.bincount(place, weights=confidence, minlength=bins).astype(np.float64),
        np.bincount(place[right], minlength=bins),
    )


def ece(class_prob: NDArray[np.float64], truth: NDArray[np.integer], bins: int = 15) -> float:
    """Expected calibration error of the most probable class, 0…1 (arXiv 1706.04599).

    It is the mean gap between confidence and accuracy of the bins (see `confidence_bins`), weighted by their number of
    samples.

    Args:
        class_prob: Class probabilities [n, k]; each row sums to 1.
        truth: True classes 0…k-1, [n].
        bins: Number of bins, 1 or more.

    Raises:
        PredictionError: The arrays have different lengths or are empty, a value is not a probability, or a class is out
            of range.
        StatsError: Fewer than one bin.
    """
    found = confidence_bins(class_prob, truth, bins)
    return float(np.abs(found.confidence - found.right).sum() / len(truth))


def weighted_ece(
    class_prob: NDArray[np.float64], truth: NDArray[np.integer], weights: NDArray[np.float64], bins: int = 15
) -> NDArray[np.float64]:
    """Expected calibration error, as `ece`, for several sets of weights, float64 [b].

    Args:
        class_prob: Class probabilities [n, k]; each row sums to 1.
        truth: True classes 0…k-1, [n].
        weights: Weights of the samples, at least 0 and not all 0, float64 [b, n].
        bins: Number of bins, 1 or more.

    Raises:
        PredictionError: As `ece`.
        StatsError: Fewer than one bin.
    """
    place, confidence, right = _binned(class_prob, truth, bins)
    gaps = np.eye(bins)[place] * (confidence - right)[:, None]
    return np.asarray(np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1))


def _binned(
    class_prob: NDArray[np.float64], truth: NDArray[np.integer], bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the bin of every sample, its confidence, and whether it is right, [n] each."""
    check_probabilities(class_prob, truth)
    if bins not in COUNT:
        raise StatsError(f"expected at least 1 bin, got {bins}", where="bins", hint="15 is common")
    confidence, right = class_prob.max(axis=1), class_prob.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)  # bins are open below, closed above
    return place, confidence, right
