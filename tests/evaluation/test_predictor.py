"""How a predictor is asked: by numbers where it goes by those, and of all slices before the first."""

from collections.abc import Callable

import numpy as np
import pytest

from btlib.data.dataset import Dataset
from btlib.evaluation.checks import check_kind
from btlib.evaluation.predictor import (
    Predictor,
    SlicePredictor,
    StoredPredictor,
    ask,
    ask_uncopied,
    copied,
    require_slices,
)
from btlib.types import Predictions


class ByImages:
    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(images, None)


class ByNumbers(ByImages):
    def predict_slices(self, numbers: np.ndarray, images: np.ndarray) -> Predictions:
        return Predictions(None, numbers)


class Stored(ByNumbers):
    def __init__(self) -> None:
        self.asked: list[tuple[object, str]] = []

    def require_slices(self, numbers: np.ndarray, kind: str = "slices") -> None:
        self.asked.append((numbers, kind))


NUMBERS, IMAGES = np.array([10, 9]), np.zeros((2, 3, 5), dtype=np.float32)


def test_kinds_of_predictors_are_told_by_their_methods() -> None:
    kinds = (Predictor, SlicePredictor, StoredPredictor)
    assert [isinstance(ByImages(), kind) for kind in kinds] == [True, False, False]
    assert [isinstance(ByNumbers(), kind) for kind in kinds] == [True, True, False]
    assert [isinstance(Stored(), kind) for kind in kinds] == [True, True, True]


def test_numbers_are_given_to_what_goes_by_them() -> None:
    assert ask_uncopied(ByImages(), NUMBERS, IMAGES).mask_prob is IMAGES
    assert ask_uncopied(ByNumbers(), NUMBERS, IMAGES).class_prob is NUMBERS


def test_answers_are_copied_when_they_arrive() -> None:
    for predictor, name, given in ((ByImages(), "mask_prob", IMAGES), (ByNumbers(), "class_prob", NUMBERS)):
        found = getattr(ask(predictor, NUMBERS, IMAGES), name)
        assert np.array_equal(found, given)
        assert not np.shares_memory(found, given)
    assert copied("no predictions") == "no predictions"  # type: ignore[arg-type,comparison-overlap]
    assert copied(Predictions(None, [[1.0]])).class_prob == [[1.0]]  # type: ignore[arg-type]  # refused by `check_kind`


def test_only_stored_predictions_can_lack_slices() -> None:
    stored = Stored()
    require_slices(stored, NUMBERS, "test slices")
    assert len(stored.asked) == 1
    assert stored.asked[0][0] is NUMBERS
    assert stored.asked[0][1] == "test slices"
    require_slices(ByNumbers(), NUMBERS, "test slices")


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
    curve_of(Writes(), dataset, np.arange(5))
    assert (dataset.images == before).all()
