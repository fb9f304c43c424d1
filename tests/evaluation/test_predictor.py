"""How a predictor is asked: with images alone, but for saved predictions, which are looked up by id."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation.checks import check_kind
from btlib.evaluation.predictor import Predictor, ask, ask_uncopied, copied, require_all
from btlib.evaluation.saved import SavedPredictions
from btlib.types import Predictions
from tests.evaluation.saved_as import saved_as


class ByImages:
    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(images, None)


class Curious(ByImages):
    """Has the methods of saved predictions, and would be told the ids of test samples if these were enough."""

    def look_up(self, ids: np.ndarray, images: np.ndarray) -> Predictions:
        raise AssertionError("it was given ids")

    def require(self, ids: np.ndarray, kind: str = "samples") -> None:
        raise AssertionError("it was given ids")

    predict_slices, require_slices = look_up, require


class Derived(Curious, SavedPredictions):  # type: ignore[misc]
    """A class of a case's own, derived from that of saved predictions to be told ids."""

    def __init__(self) -> None: ...


class Saved:
    def __init__(self) -> None:
        self.asked: list[tuple[object, str]] = []
        self.said = np.zeros((2, 3))

    def look_up(self, ids: np.ndarray, images: np.ndarray) -> Predictions:
        assert ids is IDS
        assert images is IMAGES
        return Predictions(None, self.said)

    def require(self, ids: np.ndarray, kind: str = "samples") -> None:
        self.asked.append((ids, kind))


IDS, IMAGES = np.array(["10", "9"]), np.zeros((2, 1, 3, 5), dtype=np.float32)


def test_a_predictor_is_what_predicts() -> None:
    assert [isinstance(one, Predictor) for one in (ByImages(), Curious(), saved_as(Saved()), object())] == [
        *[True] * 3,
        False,
    ]


def test_ids_are_given_to_saved_predictions_only() -> None:
    saved = Saved()
    assert ask_uncopied(saved_as(saved), IDS, IMAGES).class_prob is saved.said
    for predictor in (ByImages(), Curious(), Derived()):
        assert ask_uncopied(predictor, IDS, IMAGES).mask_prob is IMAGES
        assert np.array_equal(ask(predictor, IDS, IMAGES).mask_prob, IMAGES)


def test_answers_are_copied_when_they_arrive() -> None:
    saved = Saved()
    for predictor, name, given in ((ByImages(), "mask_prob", IMAGES), (saved_as(saved), "class_prob", saved.said)):
        found = getattr(ask(predictor, IDS, IMAGES), name)
        assert np.array_equal(found, given)
        assert not np.shares_memory(found, given)
    assert copied("no predictions") == "no predictions"  # type: ignore[arg-type,comparison-overlap]
    assert copied(Predictions(None, [[1.0]])).class_prob == [[1.0]]  # type: ignore[arg-type]  # refused by `check_kind`


def test_only_saved_predictions_can_lack_samples() -> None:
    saved = Saved()
    require_all(saved_as(saved), IDS, "test samples")
    assert len(saved.asked) == 1
    assert saved.asked[0][0] is IDS
    assert saved.asked[0][1] == "test samples"
    for predictor in (Curious(), Derived()):
        require_all(predictor, IDS, "test samples")


def test_saved_predictions_cannot_be_asked_for_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", id=IDS, class_prob=np.zeros((2, 3)))
    with pytest.raises(PredictionError, match="found by the ids of samples, not by images"):
        SavedPredictions(tmp_path / "a.npz").predict(IMAGES)


@pytest.mark.parametrize("part", ["mask_prob", "class_prob"])
def test_either_part_alone_is_enough(part: str) -> None:
    check_kind(Predictions(**{"mask_prob": None, "class_prob": None, part: np.zeros(3)}), "case X")


def test_the_dataset_is_not_changed(make_dataset: Callable[..., Dataset]) -> None:
    """A predictor that writes into its images gets a copy."""
    from btlib.evaluation import curve_of, evaluate

    class Writes:
        def predict(self, images: np.ndarray) -> Predictions:
            images[:] = 0
            return Predictions(np.ones(images.shape), None)

    dataset = make_dataset(5, size=16)
    before = dataset.images.copy()
    evaluate(Writes(), dataset)
    curve_of(Writes(), dataset)
    curve_of(Writes(), dataset.part(np.arange(5)))
    assert (dataset.images == before).all()
