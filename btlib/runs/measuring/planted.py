"""Measure: planted faults. Predictions with typical faults are scored, to check that the gate detects them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation import Predictor, evaluate
from btlib.evaluation.saved import SavedPredictions
from btlib.runs.measuring.live import Live
from btlib.types import Predictions

SHIFT, SHARE, THRESHOLD = 4, 0.05, 0.9
FAULTS = {
    "threshold 0.9": ("dice",),
    "mask shifted by 4 px": ("dice",),
    "class swapped for 5 % of samples": ("accuracy",),
    "half the epochs": ("dice", "accuracy"),
}
"""Name of the fault → affected metrics."""


class Spoiled:
    """Predictor that changes the predictions of another predictor.

    Args:
        predictor: Predictor without the fault.
        change: Function of the positions of the samples, in the order of prediction, and of their predictions. It
            returns the changed predictions.
    """

    def __init__(self, predictor: Predictor, change: Callable[[NDArray[np.int64], Predictions], Predictions]) -> None:
        self.predictor, self.change, self.seen = predictor, change, 0

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Return changed predictions for float32 images [n, channels, h, w]."""
        places = np.arange(self.seen, self.seen + len(images))
        self.seen += len(images)
        return self.change(places, self.predictor.predict(images))


def as_if_higher(places: NDArray[np.int64], predicted: Predictions, threshold: float) -> Predictions:
    """Change the probabilities so that the threshold in use gives the masks of the threshold 0.9."""
    assert predicted.mask_prob is not None
    return replace(predicted, mask_prob=np.where(predicted.mask_prob > THRESHOLD, predicted.mask_prob, threshold / 2))


def shifted(places: NDArray[np.int64], predicted: Predictions) -> Predictions:
    """Shift the masks four pixels to the right, like an error of registration."""
    assert predicted.mask_prob is not None
    moved = np.zeros_like(predicted.mask_prob)
    moved[..., SHIFT:] = predicted.mask_prob[..., :-SHIFT]
    return replace(predicted, mask_prob=moved)


def swapped(places: NDArray[np.int64], predicted: Predictions, chosen: NDArray[np.int64]) -> Predictions:
    """Exchange the class probabilities of the chosen samples, so that they get another class."""
    assert predicted.class_prob is not None
    wrong = np.isin(places, chosen)[:, None]
    rolled = np.roll(predicted.class_prob, 1, axis=1)
    return replace(predicted, class_prob=np.where(wrong, rolled, predicted.class_prob))


def suffers(fault: str, live: Live) -> bool:
    """Whether a fault affects a metric of the case."""
    return bool({*FAULTS[fault]} & {*live.case.metrics})


def planted(live: Live) -> dict[str, object]:
    """Score the case with each fault. For "half the epochs" a model is trained and stored like any other model.

    Saved predictions are skipped.
    """
    if isinstance(live.prepared.predictor, SavedPredictions):
        return {}
    found = {}
    for fault in (fault for fault in FAULTS if suffers(fault, live)):
        predictor, threshold = _spoiled(fault, live)
        test, where = live.split.test, f"case {live.case.name}, {fault}"
        scored = evaluate(predictor, live.given, test, threshold=threshold, where=where, truth=live.workspace.truth)
        found[fault] = scored.samples
    return {"planted": found}


def _spoiled(fault: str, live: Live) -> tuple[Predictor, float]:
    """Return a predictor with the fault, and the threshold of its masks."""
    prepared = live.prepared
    predictor, protocol = prepared.predictor, live.work.protocol
    threshold = protocol.threshold if prepared.threshold is None else prepared.threshold
    if fault == "threshold 0.9":
        return Spoiled(predictor, lambda places, predicted: as_if_higher(places, predicted, threshold)), threshold
    if fault == "mask shifted by 4 px":
        return Spoiled(predictor, shifted), threshold
    if fault == "class swapped for 5 % of samples":
        n = len(live.split.test)
        chosen = np.random.default_rng(0).choice(n, max(1, round(SHARE * n)), replace=False)
        return Spoiled(predictor, lambda places, predicted: swapped(places, predicted, chosen)), threshold
    half = live.case.prepare(
        replace(live.work, recipe=live.work.recipe.with_epochs(max(1, live.work.recipe.epochs // 2)))
    )
    return half.predictor, protocol.threshold if half.threshold is None else half.threshold
