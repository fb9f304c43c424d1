"""Classification scores, all from one confusion matrix."""

import numpy as np
from numpy.typing import NDArray

from btlib.metrics.checks import check_probabilities, check_types
from btlib.types import N_CLASSES


def confusion_matrix(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> NDArray[np.int64]:
    """Counts by true (row) and predicted (column) tumour type, int64 [3, 3].

    Args:
        truth: True types, whole numbers 0…2, [n].
        predicted: Predicted types, the same.

    Raises:
        PredictionError: Of different lengths, empty, or a type outside 0…2.
    """
    for name, values in (("truth", truth), ("predicted", predicted)):
        check_types(name, values, len(truth), N_CLASSES)
    cells = np.bincount(truth.astype(np.int64) * N_CLASSES + predicted, minlength=N_CLASSES**2)
    return cells.reshape(N_CLASSES, N_CLASSES).astype(np.int64)


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Share of slices on the diagonal, 0…1."""
    return float(np.trace(confusion) / confusion.sum())


def per_class(confusion: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 of each type, float64 [3], 0…1.

    Undefined values are NaN: the precision of a type never predicted, the recall of a type that no slice has, the F1 of
    a type that is neither. (scikit-learn says 0 there, which a reader takes for a failure.)
    """
    hits = np.diag(confusion).astype(np.float64)
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    return {
        "precision": _share(hits, predicted),
        "recall": _share(hits, true),
        "f1": _share(2 * hits, predicted + true),
    }


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 of the types that are there or are predicted, 0…1."""
    return float(np.nanmean(per_class(confusion)["f1"]))


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Mean recall of the types that are there, 0…1."""
    return float(np.nanmean(per_class(confusion)["recall"]))


def auroc(class_prob: NDArray[np.float64], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Area under the ROC curve of each type against the rest, float64 [k], 0…1 (10.1148/radiology.143.1.7063747).

    The chance that a slice of the type is given a higher probability of it than another slice; ties count half.

    Args:
        class_prob: Probabilities [n, k].
        truth: True types 0…k-1, [n].

    Returns:
        NaN for a type that no slice has, or every slice.

    Raises:
        PredictionError: Of different lengths, empty, not finite, outside 0…1, or a type out of range.
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


def _share(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
