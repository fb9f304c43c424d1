"""Planted faults: a case is spoiled in ways that happen, and the gate must call each of them.

    pytest benchmarks -m "controls and full" -k "planted and full-D" --bt-protocol cpu128 -s

The models are those of the tier, from their checkpoints; "half the epochs" is trained (and kept) like any other.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from btlib.baselines import Verdict, judge
from btlib.cases import Prepared, Work, load_cases
from btlib.errors import BaselineError
from btlib.evaluation import Predictor, evaluate
from btlib.plugin.run import Run
from btlib.results import CaseResult, SeedRun
from btlib.runs.execute import conditions
from btlib.types import Predictions

pytestmark = pytest.mark.controls

SHIFT, SHARE, THRESHOLD = 4, 0.05, 0.9


class Spoiled:
    """A predictor whose words are changed on their way.

    Args:
        predictor: The sound one.
        change: Given the places of the samples, in the order in which they are asked for, and what it says of them.
    """

    def __init__(self, predictor: Predictor, change: Callable[[NDArray[np.int64], Predictions], Predictions]) -> None:
        self.predictor, self.change, self.seen = predictor, change, 0

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """What the predictor says, spoiled."""
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


def spoil(plant: str, prepared: Prepared, work: Work, n_test: int) -> tuple[Predictor, float]:
    """The spoiled predictor, and the threshold of its masks."""
    predictor = prepared.predictor
    threshold = work.protocol.threshold if prepared.threshold is None else prepared.threshold
    if plant == "threshold 0.9":
        return Spoiled(predictor, lambda n, said: as_if_higher(n, said, threshold)), threshold
    if plant == "mask shifted by 4 px":
        return Spoiled(predictor, shifted), threshold
    if plant == "class swapped for 5 % of samples":
        chosen = np.random.default_rng(0).choice(n_test, round(SHARE * n_test), replace=False)
        return Spoiled(predictor, lambda n, said: swapped(n, said, chosen)), threshold
    return predictor, threshold


PLANTS = {
    "none": ("dice", "accuracy"),
    "threshold 0.9": ("dice",),
    "mask shifted by 4 px": ("dice",),
    "class swapped for 5 % of samples": ("accuracy",),
    "half the epochs": ("dice", "accuracy"),
}
"""What is planted → the metrics that suffer."""


@pytest.mark.parametrize("plant", PLANTS)
def test_planted(bt_run: Run, bt_case: str, plant: str) -> None:
    suffers = [metric for metric in load_cases()[bt_case].metrics if metric in PLANTS[plant]]
    if not suffers:
        pytest.skip(f"{bt_case} predicts nothing that suffers from it")
    if isinstance(bt_run.baseline, BaselineError):
        raise bt_run.baseline
    found = [v for v in verdicts(bt_run, bt_case, plant) if v.metric in suffers]
    for v in found:
        told = f"{v.difference:+.4f} ({v.low:+.4f} … {v.high:+.4f})" if v.low is not None else v.reason
        print(f"\n{bt_case}, {plant}: {v.metric} {v.status} {told}, margin {v.margin:g}", end="")
    if plant == "none":
        assert not any(v.failed for v in found), "it fails as it is: nothing follows from what is planted"
    else:
        assert any(v.status == "regressed" for v in found), f"the gate did not call it: {plant}"


def verdicts(run: Run, case: str, plant: str) -> list[Verdict]:
    """The gate's words on a case with a fault in it."""
    assert not isinstance(run.baseline, BaselineError)
    work = run.work_of(case)
    if plant == "half the epochs":
        halves: dict[str, Any] = {"epochs": max(1, work.recipe.epochs // 2)}
        halves |= {} if work.recipe.head_epochs is None else {"head_epochs": max(1, work.recipe.head_epochs // 2)}
        work = replace(work, recipe=replace(work.recipe, **halves))
        prepared = load_cases()[case].prepare(work)
    else:
        prepared = run.prepared(case)
    test, given = run.split.test, run.given(case)
    predictor, threshold = spoil(plant, prepared, work, len(test))
    table = evaluate(predictor, given, test, threshold=threshold, where=case, truth=run.truth).samples
    runs = (SeedRun(seed=work.seed, fingerprint=prepared.fingerprint, samples=table),)
    held = run.result(case)
    return judge(
        CaseResult(case, held.title, conditions(run.truth, run.split, run.tier.protocol), held.metrics, runs),
        run.baseline,
    )
