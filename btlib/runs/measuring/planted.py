"""Planted faults: predictions are spoiled in ways that happen, and scored, for the gate to be held to them."""

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
"""What is planted → the metrics that suffer."""


class Spoiled:
    """A predictor whose predictions are changed on their way.

    Args:
        predictor: The sound one.
        change: Given the places of the samples, in the order in which they are asked for, and their predictions.
    """

    def __init__(self, predictor: Predictor, change: Callable[[NDArray[np.int64], Predictions], Predictions]) -> None:
        self.predictor, self.change, self.seen = predictor, change, 0

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """The predictor's predictions, spoiled."""
        places = np.arange(self.seen, self.seen + len(images))
        self.seen += len(images)
        return self.change(places, self.predictor.predict(images))


def as_if_higher(places: NDArray[np.int64], said: Predictions, threshold: float) -> Predictions:
    """Masks as a threshold of 0.9 would have them, under whatever threshold is in use."""
    assert said.mask_prob is not None
    return replace(said, mask_prob=np.where(said.mask_prob > THRESHOLD, said.mask_prob, threshold / 2))


def shifted(places: NDArray[np.int64], said: Predictions) -> Predictions:
    """Masks four pixels to the right, as an error of registration would have them."""
    assert said.mask_prob is not None
    moved = np.zeros_like(said.mask_prob)
    moved[..., SHIFT:] = said.mask_prob[..., :-SHIFT]
    return replace(said, mask_prob=moved)


def swapped(places: NDArray[np.int64], said: Predictions, chosen: NDArray[np.int64]) -> Predictions:
    """Another class for the chosen samples."""
    assert said.class_prob is not None
    wrong = np.isin(places, chosen)[:, None]
    return replace(said, class_prob=np.where(wrong, np.roll(said.class_prob, 1, axis=1), said.class_prob))


def suffers(fault: str, live: Live) -> bool:
    """Whether a case predicts something that suffers from a fault."""
    return bool({*FAULTS[fault]} & {*live.case.metrics})


def planted(live: Live) -> dict[str, object]:
    """Score the case with each fault in it. "half the epochs" is trained, and stored, like any other model.

    Nothing is done for saved predictions.
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
    """The spoiled predictor, and the threshold of its masks."""
    prepared = live.prepared
    predictor, protocol = prepared.predictor, live.work.protocol
    threshold = protocol.threshold if prepared.threshold is None else prepared.threshold
    if fault == "threshold 0.9":
        return Spoiled(predictor, lambda places, said: as_if_higher(places, said, threshold)), threshold
    if fault == "mask shifted by 4 px":
        return Spoiled(predictor, shifted), threshold
    if fault == "class swapped for 5 % of samples":
        n = len(live.split.test)
        chosen = np.random.default_rng(0).choice(n, max(1, round(SHARE * n)), replace=False)
        return Spoiled(predictor, lambda places, said: swapped(places, said, chosen)), threshold
    half = live.case.prepare(
        replace(live.work, recipe=live.work.recipe.with_epochs(max(1, live.work.recipe.epochs // 2)))
    )
    return half.predictor, protocol.threshold if half.threshold is None else half.threshold
