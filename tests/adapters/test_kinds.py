"""Masks and classes each have their own kind, layout and channels; every adapter passes on what it is told."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from btlib.adapters import CallablePredictor, KerasPredictor, Outputs, SavedPredictions, load_keras, save_predictions
from btlib.data.dataset import Dataset
from btlib.errors import ModelError, PredictionError, UnknownNameError
from btlib.types import Predictions

from .conftest import class_logits, mask_logits, sigmoid, softmax


def test_masks_and_classes_have_kinds_of_their_own(same: Callable[..., None]) -> None:
    def mask_ready(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return sigmoid(mask_logits(x)), class_logits(x)

    def classes_ready(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return mask_logits(x), softmax(class_logits(x))

    same(CallablePredictor(mask_ready, Outputs(0, 1, mask_kind="probabilities")))
    same(CallablePredictor(classes_ready, Outputs(0, 1, class_kind="probabilities")))
    for kinds in ({"mask_kind": "logit"}, {"class_kind": "logit"}):
        with pytest.raises(UnknownNameError, match="did you mean 'logits'"):
            Outputs(0, 1, **kinds)  # type: ignore[arg-type]
    assert Outputs(0, mask_channels=1).mask_channels == 1


@pytest.mark.parametrize(("layout", "axis"), [("nchw", 1), ("nhwc", 3)])
def test_probabilities_of_several_channels_are_added_up_and_not_changed(
    layout: Any, axis: int, same: Callable[..., None]
) -> None:
    def model(x: np.ndarray) -> np.ndarray:
        tumour = sigmoid(mask_logits(x.take(0, axis)))
        return np.stack([1 - tumour, 0.75 * tumour, 0.25 * tumour], axis=axis)

    outputs = Outputs(0, mask_kind="probabilities", mask_channels=3)
    same(CallablePredictor(model, outputs, layout=layout), classes=False)


@pytest.mark.parametrize(("layout", "axis"), [("nchw", 1), ("nhwc", 3)])
def test_one_channel_of_probabilities_is_left_alone(layout: Any, axis: int, same: Callable[..., None]) -> None:
    def model(x: np.ndarray) -> np.ndarray:
        return np.expand_dims(sigmoid(mask_logits(x.take(0, axis))), axis)

    same(CallablePredictor(model, Outputs(0, mask_kind="probabilities"), layout=layout), classes=False)


def test_places_are_counted_from_either_end_and_no_further(images: np.ndarray) -> None:
    for place in (2, -3):
        with pytest.raises(PredictionError, match=f"no part {place}: it is a tuple with 0, 1"):
            CallablePredictor(lambda x: (x, x), Outputs(place)).predict(images)
    mapping = {"items": images[:, 0] * 0, "b": images[:, 0]}
    said = CallablePredictor(lambda x: mapping, Outputs("items", mask_kind="probabilities")).predict(images)
    assert said.mask_prob is not None
    assert (said.mask_prob == 0).all(), "a key goes before an attribute of the same name"


def test_masks_of_another_width_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "said.npz", number=np.array([1]), mask_prob=np.zeros((1, 6, 8)))
    with pytest.raises(PredictionError, match=r"masks of \(6, 8\), expected the size of the samples, \(6, 9\)"):
        SavedPredictions(tmp_path / "said.npz").look_up(np.array(["1"]), np.zeros((1, 1, 6, 9), np.float32))


@pytest.mark.parametrize(("n", "named"), [(4, "1, 2, 3, 4"), (5, "1, 2, 3, 4, 5"), (6, "1, 2, 3, 4, 5 …")])
def test_five_missing_samples_are_named(tmp_path: Path, n: int, named: str) -> None:
    np.savez(tmp_path / "said.npz", number=np.array([100]), class_prob=np.zeros((1, 3)))
    asked = np.array([100, 100, *range(1, n + 1)]).astype(str)
    with pytest.raises(PredictionError, match=rf"no prediction for {n} of {n + 1} samples: {named}\n"):
        SavedPredictions(tmp_path / "said.npz").require(asked)


def test_a_file_that_could_not_be_written_whole_is_none(
    make_dataset: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(file: Any, **parts: Any) -> None:
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", half)
    flat = CallablePredictor(lambda x: Predictions(np.full(x.shape, 0.5), None))
    (tmp_path / "said.npz").write_text("the old one")
    for name in ("said.npz", "new.npz"):
        with pytest.raises(OSError, match="no space left"):
            save_predictions(tmp_path / name, make_dataset(3, size=16), flat)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"said.npz": "the old one"}


class Model:
    """As much of a Keras model as is used: [n, h, w, c] → the mask of the last channel."""

    def __init__(self, axis: int) -> None:
        self.axis = axis
        self.weights = [SimpleNamespace(value=SimpleNamespace(device="gpu:1"))]

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        assert x.shape[self.axis] == 3
        return np.expand_dims(mask_logits(x.take(2, self.axis)), self.axis)


@pytest.mark.parametrize(("layout", "axis"), [("nchw", 1), ("nhwc", 3)])
def test_keras_is_given_layout_and_channels(
    same: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Any, axis: int
) -> None:
    keras = Mock()
    keras.saving.load_model.return_value = Model(axis)
    monkeypatch.setitem(sys.modules, "keras", keras)
    built = KerasPredictor(Model(axis), Outputs(0), layout=layout, channels=3)
    loaded = load_keras(tmp_path / "net.keras", Outputs(0), layout=layout, channels=3)
    keras.saving.load_model.assert_called_once_with(tmp_path / "net.keras", compile=False)
    for predictor in (built, loaded):
        same(predictor, classes=False)
        assert predictor.device == "gpu:1"
    assert KerasPredictor(SimpleNamespace(weights=[], predict_on_batch=None), Outputs(0)).device is None
    with pytest.raises(ModelError, match="expected at least 1 channel"):
        KerasPredictor(Model(axis), Outputs(0), channels=0)


def test_jax_is_given_layout_and_channels(same: Callable[..., None]) -> None:
    jnp = pytest.importorskip("jax.numpy")
    from btlib.adapters import JaxPredictor

    def apply(shift: Any, x: Any) -> Any:
        assert x.shape[1] == 3
        return (x[:, 2] * 4 + shift + jnp.linspace(-1, 1, x.shape[2])[:, None])[:, None]

    same(JaxPredictor(apply, -2.0, Outputs(0), layout="nchw", channels=3), classes=False, tolerance=1e-5)
