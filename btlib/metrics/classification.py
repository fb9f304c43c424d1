"""Classification metrics from the confusion matrix, and AUROC from class probabilities."""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import PredictionError
from btlib.metrics.checks import check_probabilities, check_types
from btlib.ranges import COUNT


def confusion_matrix(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], n_classes: int | None = None
) -> NDArray[np.int64]:
    """Count samples by true (row) and predicted (column) class, int64 [c, c].

    Args:
        truth: True classes, integers 0…c-1, [n].
        predicted: Predicted classes, integers 0…c-1, [n].
        n_classes: Number of classes c; None takes the largest true or predicted class plus one.

    Raises:
        PredictionError: The arrays have different lengths or are empty, a class is outside 0…c-1, or c is below 1.
    """
    if n_classes is None:
        integers = [values for values in (truth, predicted) if values.dtype.kind in "iu" and values.size]
        n_classes = 1 + max([0, *(int(values.max()) for values in integers)])
    COUNT.require(n_classes, "n_classes", error=PredictionError)
    for name, values in (("truth", truth), ("predicted", predicted)):
        check_types(name, values, len(truth), n_classes)
    cells = np.bincount(truth.astype(np.int64) * n_classes + predicted, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes).astype(np.int64)


def weighted_confusion(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], weights: NDArray[np.float64], n_classes: int
) -> NDArray[np.float64]:
    """Sum weights of samples by true (row) and predicted (column) class, for several sets of weights.

    Args:
        truth: True classes, integers 0…c-1, [n].
        predicted: Predicted classes, integers 0…c-1, [n].
        weights: Weights of the samples, at least 0, float64 [b, n].
        n_classes: Number of classes c.

    Returns:
        Float64 [b, c, c]; weights of 1 give `confusion_matrix`.

    Raises:
        PredictionError: The arrays have different lengths or are empty, or a class is outside 0…c-1.
    """
    for name, values in (("truth", truth), ("predicted", predicted)):
        check_types(name, values, weights.shape[1], n_classes)
    cells = np.eye(n_classes**2)[truth.astype(np.int64) * n_classes + predicted]
    return (weights @ cells).reshape(len(weights), n_classes, n_classes)


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Share of correctly classified samples, 0…1."""
    return float(np.trace(confusion) / confusion.sum())


def per_class(confusion: NDArray[np.int64] | NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 of each class, float64 [..., c], 0…1, of confusion matrices [..., c, c].

    Undefined values are NaN: the precision of a class that is never predicted, the recall of a class without samples,
    and the F1 of a class to which both apply. (scikit-learn returns 0, which looks like a failure.)
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    predicted, true = confusion.sum(axis=-2), confusion.sum(axis=-1)
    return {
        "precision": _share(hits, predicted),
        "recall": _share(hits, true),
        "f1": _share(2 * hits, predicted + true),
    }


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 of the classes that have samples or are predicted, 0…1."""
    return float(np.nanmean(per_class(confusion)["f1"]))


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Mean recall of the classes that have samples, 0…1."""
    return float(np.nanmean(per_class(confusion)["recall"]))


def auroc(class_prob: NDArray[np.float64], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Area under the ROC curve of each class against the rest, 0…1 (doi 10.1148/radiology.143.1.7063747).

    It is the probability that a sample of the class gets a higher probability for this class than a sample of another
    class; ties count half.

    Args:
        class_prob: Class probabilities [n, c].
        truth: True classes 0…c-1, [n].

    Returns:
        Float64 [c]; NaN for a class that no sample or every sample has.

    Raises:
        PredictionError: The arrays have different lengths or are empty, a value is not finite or outside 0…1, or a
            class is out of range.
    """
    from scipy.stats import rankdata

    check_probabilities(class_prob, truth, normalised=False)
    found = []
    for k in range(class_prob.shape[1]):
        own = truth == k
        positive, negative = int(own.sum()), int((~own).sum())
        above = rankdata(class_prob[:, k])[own].sum() - positive * (positive + 1) / 2
        found.append(above / (positive * negative) if positive and negative else np.nan)
    return np.array(found)


def weighted_auroc(
    class_prob: NDArray[np.float64], truth: NDArray[np.integer], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Area under the ROC curve of each class against the rest, as `auroc`, for several sets of weights.

    Args:
        class_prob: Class probabilities [n, c].
        truth: True classes 0…c-1, [n].
        weights: Weights of the samples, at least 0, float64 [b, n].

    Returns:
        Float64 [b, c]; NaN for a class that no sample or every sample with a weight has. Integer weights give the area
        of a set in which each sample occurs as often as its weight says.

    Raises:
        PredictionError: The arrays have different lengths or are empty, a value is not finite or outside 0…1, or a
            class is out of range.
    """
    check_probabilities(class_prob, truth, normalised=False)
    found = []
    for k in range(class_prob.shape[1]):
        order = np.argsort(class_prob[:, k], kind="stable")
        ranked, own = class_prob[order, k], truth[order] == k
        drawn = weights[:, order]
        positive, negative = drawn[:, own], np.cumsum(drawn * ~own, axis=1)
        upto = np.pad(negative, ((0, 0), (1, 0)))  # weight of the negatives among the first samples
        lower = upto[:, np.searchsorted(ranked, ranked[own], "left")]
        below = (lower + upto[:, np.searchsorted(ranked, ranked[own], "right")]) / 2  # ties count half
        found.append(_share((positive * below).sum(axis=1), positive.sum(axis=1) * upto[:, -1]))
    return np.stack(found, axis=1)


def _share(part: NDArray[np.float64], whole: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))
