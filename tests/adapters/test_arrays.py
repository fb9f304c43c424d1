"""The mapping from what a model returns to probabilities, on plain arrays."""

from collections import namedtuple
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from btlib.adapters import CallablePredictor, Outputs
from btlib.errors import ModelError, PredictionError, UnknownNameError
from btlib.evaluation import Predictor
from btlib.types import Predictions

from .conftest import class_logits, mask_logits, sigmoid, softmax

Pair = namedtuple("Pair", "seg cls")
RETURNS = {
    "tuple": (lambda m, c: (m, c), Outputs(0, 1)),
    "tuple counted from its end": (lambda m, c: [None, m, c], Outputs(-2, -1)),
    "dict": (lambda m, c: {"seg": m, "cls": c}, Outputs("seg", "cls")),
    "dict by index": (lambda m, c: {"cls": c, "seg": m}, Outputs(1, 0)),
    "named tuple": (lambda m, c: Pair(m, c), Outputs("seg", "cls")),
    "attributes": (lambda m, c: SimpleNamespace(seg=m, cls=c), Outputs("seg", "cls")),
}


@pytest.mark.parametrize("name", RETURNS)
def test_whatever_a_model_returns(name: str, same: Callable[..., None]):
    packed, outputs = RETURNS[name]
    same(CallablePredictor(lambda x: packed(mask_logits(x), class_logits(x)), outputs))


def test_one_part_alone(same: Callable[..., None]):
    same(CallablePredictor(mask_logits, Outputs(mask=0)), classes=False)
    same(CallablePredictor(class_logits, Outputs(classes=0)), mask=False)
    same(CallablePredictor(lambda x: (mask_logits(x), None), Outputs(0, 1)), classes=False)


def test_probabilities_are_left_alone(same: Callable[..., None]):
    def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return sigmoid(mask_logits(x)), softmax(class_logits(x))

    same(CallablePredictor(model, Outputs(0, 1, mask_kind="probabilities", class_kind="probabilities")))


@pytest.mark.parametrize(("layout", "axis"), [("nchw", 1), ("nhwc", 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_layouts_and_channels(layout: str, axis: int, channels: int, same: Callable[..., None]):
    def model(x: np.ndarray) -> np.ndarray:
        assert x.ndim == 4
        assert x.shape[axis] == channels
        assert (x == x.take([0], axis)).all()
        return np.expand_dims(mask_logits(x.take(0, axis)), axis)

    same(CallablePredictor(model, Outputs(mask=0), layout=layout, channels=channels), classes=False)


@pytest.mark.parametrize(("layout", "axis"), [("nchw", 1), ("nhwc", 3)])
def test_several_channels_are_background_and_tumours(layout: str, axis: int, same: Callable[..., None]):
    """Two: background and tumour. Four: three parts of the tumour, of which the mask is the union."""

    def two(x: np.ndarray) -> np.ndarray:
        logits = mask_logits(x.take(0, axis))
        return np.stack([np.full_like(logits, 0.5), logits + 0.5], axis=axis)

    def four(x: np.ndarray) -> np.ndarray:
        logits = mask_logits(x.take(0, axis)) - np.float32(np.log(3))
        return np.stack([np.zeros_like(logits), logits, logits, logits], axis=axis)

    same(CallablePredictor(two, Outputs(0, mask_channels=2), layout=layout), classes=False)
    same(CallablePredictor(four, Outputs(0, mask_channels=4), layout=layout), classes=False)


def test_predictions_themselves_need_no_mapping(images: np.ndarray):
    predictor = CallablePredictor(lambda x: Predictions(x, None))
    assert isinstance(predictor, Predictor)
    assert (predictor.predict(images).mask_prob == images[:, 0]).all()


def test_large_logits_do_not_overflow(images: np.ndarray):
    said = CallablePredictor(lambda x: (x * 0 - 1000, class_logits(x) * 1e4), Outputs(0, 1)).predict(images)
    assert (said.mask_prob == 0).all()
    assert said.class_prob.sum(axis=1) == pytest.approx(1)


def test_a_part_that_is_not_there_names_those_that_are(images: np.ndarray):
    with pytest.raises(PredictionError, match="no part 'mask': it is a dict with seg, cls"):
        CallablePredictor(lambda x: {"seg": x, "cls": x}, Outputs("mask")).predict(images)
    with pytest.raises(PredictionError, match="no part 1: it is a ndarray with 0"):
        CallablePredictor(lambda x: x, Outputs(1)).predict(images)


def test_channels_nobody_declared(images: np.ndarray):
    with pytest.raises(PredictionError, match=r"expected a mask with 1 channels at axis 1, got shape \(5, 2, 33, 48\)"):
        CallablePredictor(lambda x: np.repeat(x, 2, axis=1), Outputs(0), layout="nchw").predict(images)


def test_mappings_that_make_no_sense():
    with pytest.raises(ModelError, match="neither mask nor classes"):
        Outputs()
    with pytest.raises(UnknownNameError, match="did you mean 'logits'"):
        Outputs(0, mask_kind="logit")
    with pytest.raises(ModelError, match=r"at least 1 structure .* got 1 structures and 0"):
        Outputs(0, mask_channels=0)
    with pytest.raises(ModelError, match="expected at least 1 channel, got 0"):
        CallablePredictor(mask_logits, Outputs(0), channels=0)


def test_a_batch_of_nothing_is_refused(images: np.ndarray):
    with pytest.raises(PredictionError, match="no images to predict"):
        CallablePredictor(mask_logits, Outputs(0)).predict(images[:0])


def test_images_without_an_axis_of_channels_are_refused(images: np.ndarray):
    with pytest.raises(PredictionError, match=r"expected images \[n, channels, h, w\], got shape \(5, 33, 48\)"):
        CallablePredictor(mask_logits, Outputs(0)).predict(images[:, 0])
