"""A task of four classes and two structures on images of three channels, through each adapter."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import nn

from btlib import evaluate
from btlib.adapters import (
    CallablePredictor,
    OnnxPredictor,
    Outputs,
    SavedPredictions,
    SklearnPredictor,
    TorchPredictor,
    save_predictions,
)
from btlib.adapters.export import export_onnx
from btlib.adapters.outputs import NAMED
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.errors import ModelError, PredictionError
from btlib.evaluation import Predictor, best_threshold
from btlib.thesis.models import create
from btlib.types import Predictions

from .conftest import sigmoid, softmax

TASK = Task(name="cells", classes=("a", "b", "c", "d"), structures=("core", "rim"), channels=("red", "green", "blue"))
BOTH = Outputs(0, 1, structures=2)
READY = replace(BOTH, mask_kind="probabilities", class_kind="probabilities")
WEIGHTS = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)
LAYOUTS = pytest.mark.parametrize(("layout", "axis"), [("nchw", 1), ("nhwc", 3)])


@pytest.fixture
def samples() -> Dataset:
    """Seven, of which no two channels and no two masks are alike; their ids are texts."""
    rng = np.random.default_rng(0)
    return Dataset(
        task=TASK,
        images=rng.random((7, 3, 24, 24), dtype=np.float32),
        masks=rng.random((7, 2, 24, 24)) > np.array([0.4, 0.8])[:, None, None],
        labels=np.arange(7) % 4,
        ids=np.array([f"slide {name}/é" for name in "gbacfed"]),
        patients=(None,) * 7,
        scaling="thesis",
        image_size=24,
    )


def logits(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[n, 3, h, w] → of two masks [n, 2, h, w], and of four classes."""
    return images[:, [2, 0]] * 4 - np.float32(2), images.mean(axis=(2, 3)) @ WEIGHTS


def says_so(predictor: Predictor, images: np.ndarray, tolerance: float = 1e-6) -> None:
    """Asserts that a predictor says what `logits` says."""
    said, (masks, classes) = predictor.predict(images), logits(images)
    assert said.mask_prob is not None
    assert said.class_prob is not None
    assert said.mask_prob.shape == (len(images), 2, *images.shape[2:])
    assert said.mask_prob == pytest.approx(sigmoid(masks), abs=tolerance)
    assert said.class_prob == pytest.approx(softmax(classes), abs=tolerance)


def in_layout(axis: int, change: Callable[[np.ndarray], np.ndarray] = lambda masks: masks) -> Callable[..., Any]:
    """The model with channels at an axis; its masks are changed first."""

    def model(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert x.shape[axis] == 3
        masks, classes = logits(np.moveaxis(x, axis, 1))
        return np.moveaxis(change(masks), 1, axis), classes

    return model


@LAYOUTS
@pytest.mark.parametrize("channels", [None, 3])
def test_a_channel_for_each_structure_has_a_sigmoid_of_its_own(
    layout: Any, axis: int, channels: int | None, samples: Dataset
) -> None:
    says_so(CallablePredictor(in_layout(axis), BOTH, layout=layout, channels=channels), samples.images[:, :, :20])


@LAYOUTS
def test_with_one_channel_more_the_first_is_background(layout: Any, axis: int, samples: Dataset) -> None:
    def with_background(masks: np.ndarray) -> np.ndarray:
        """Logits whose softmax gives each structure half of its probability."""
        shares = sigmoid(masks) / 2
        return np.log(np.concatenate([1 - shares.sum(axis=1, keepdims=True), shares], axis=1)) + 3

    images = samples.images[:, :, :20]
    model = CallablePredictor(in_layout(axis, with_background), replace(BOTH, mask_channels=3), layout=layout)
    said = model.predict(images).mask_prob
    assert said is not None
    assert said.shape == (7, 2, 20, 24)
    assert said == pytest.approx(sigmoid(logits(images)[0]) / 2, abs=1e-6)


@LAYOUTS
def test_probabilities_of_structures_are_left_alone(layout: Any, axis: int, samples: Dataset) -> None:
    for background in (False, True):
        outputs = replace(READY, class_kind="logits", mask_channels=3 if background else None)

        def ready(masks: np.ndarray, background: bool = background) -> np.ndarray:
            shares = sigmoid(masks)
            return np.concatenate([shares[:, :1] * 0 + 0.125, shares], axis=1) if background else shares

        says_so(CallablePredictor(in_layout(axis, ready), outputs, layout=layout), samples.images[:, :, :20])


def test_mappings_of_structures_that_make_no_sense(samples: Dataset) -> None:
    with pytest.raises(ModelError, match=r"at least 1 structure .* got 0 structures and 0"):
        Outputs(0, structures=0)
    with pytest.raises(ModelError, match=r"as many mask_channels, got 3 structures and 2"):
        Outputs(0, structures=3, mask_channels=2)
    with pytest.raises(ModelError, match=r"for 2 structures, got 4\n.*a background channel followed by"):
        Outputs(0, structures=2, mask_channels=4)
    with pytest.raises(PredictionError, match=r"expected a mask with 2 channels at axis 1, got shape \(7, 3, 24, 24\)"):
        CallablePredictor(lambda x: x, Outputs(0, structures=2), layout="nchw").predict(samples.images)


def test_images_with_more_channels_than_a_model_takes_are_refused(samples: Dataset) -> None:
    for model in (
        CallablePredictor(lambda x: x, Outputs(0)),  # no axis for channels
        CallablePredictor(lambda x: x, Outputs(0), layout="nchw", channels=1),
        CallablePredictor(lambda x: x, Outputs(0), layout="nhwc", channels=4),
        TorchPredictor(lambda x: x, "cpu", outputs=Outputs(0), channels=4),
    ):
        with pytest.raises(PredictionError, match=r"the model expects [14] channels, the images have 3"):
            model.predict(samples.images)


class Net(nn.Module):
    """`logits` in PyTorch."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x[:, [2, 0]] * 4 - 2, x.mean(dim=(2, 3)) @ torch.from_numpy(WEIGHTS)


def test_pytorch(samples: Dataset) -> None:
    for channels in (None, 3):
        says_so(TorchPredictor(Net(), "cpu", outputs=BOTH, channels=channels), samples.images[:, :, :20].copy(), 1e-5)


def test_pytorch_with_background(samples: Dataset) -> None:
    images = samples.images
    model = TorchPredictor(lambda x: x * 5, "cpu", outputs=Outputs(0, structures=2, mask_channels=3))
    assert model.predict(images).mask_prob == pytest.approx(softmax(images * 5)[:, 1:], abs=1e-6)


def test_a_variant(samples: Dataset) -> None:
    torch.manual_seed(0)
    model = create("D", backbone="tiny", task=TASK).eval()
    predictor = TorchPredictor(model, "cpu", outputs=replace(NAMED, structures=2))
    said = predictor.predict(samples.images)
    with torch.inference_mode():
        output = model(torch.from_numpy(samples.images))
    assert said.mask_prob == pytest.approx(output.mask_prob.numpy(), abs=1e-6)
    assert said.class_prob == pytest.approx(torch.softmax(output.class_logits, 1).numpy(), abs=1e-6)
    table = evaluate(predictor, samples).samples
    assert (table.structures, table.class_prob.shape, table.overlap()[0].shape) == (["core", "rim"], (7, 4), (7, 2))
    assert evaluate(TorchPredictor(model, "cpu", outputs=replace(NAMED, mask=None)), samples).samples.has_classes


@pytest.mark.parametrize("outputs", [BOTH, replace(BOTH, mask=None), replace(BOTH, classes=None)])
def test_an_exported_file_needs_no_mapping(outputs: Outputs, samples: Dataset, tmp_path: Path) -> None:
    if outputs.mask is None:
        outputs = replace(outputs, structures=1)
    model = TorchPredictor(Net(), "cpu", outputs=outputs)
    parity = export_onnx(model, tmp_path / "net.onnx", samples.images, samples.masks)
    assert (parity.samples, parity.dice is None) == (7, outputs.mask is None)
    images = samples.images[:3, :, :20].copy()  # of another size and number
    said, there = model.predict(images), OnnxPredictor(tmp_path / "net.onnx").predict(images)
    for one, other in ((said.mask_prob, there.mask_prob), (said.class_prob, there.class_prob)):
        assert (one is None) == (other is None)
        assert one is None or (one.shape == other.shape and one == pytest.approx(other, abs=1e-5))
    with pytest.raises(ModelError, match=r"expected an input of shape .*, got \[3, 1, 20, 24\]"):
        OnnxPredictor(tmp_path / "net.onnx").predict(images[:, :1])


def test_a_classifier_of_which_the_task_has_more_classes(samples: Dataset) -> None:
    class Model:
        classes_ = np.array([2, 0])

        def predict_proba(self, features: np.ndarray) -> np.ndarray:
            return np.tile([0.25, 0.75], (len(features), 1))

    asked: list[tuple[int, ...]] = []

    def masks(images: np.ndarray) -> np.ndarray:
        asked.append(images.shape)
        return sigmoid(logits(images)[0])

    said = SklearnPredictor(Model(), lambda x: x.mean(axis=(2, 3)), masks, classes=4).predict(samples.images)
    assert said.class_prob is not None
    assert (said.class_prob == [0.75, 0, 0.25, 0]).all()
    assert said.mask_prob is not None
    assert (asked, said.mask_prob.shape) == ([(7, 3, 24, 24)], (7, 2, 24, 24))
    assert SklearnPredictor(Model(), lambda x: x).classes == 3, "one more than the largest label"
    with pytest.raises(ModelError, match=r"expected labels among 0…1, the classifier has \[2, 0\]"):
        SklearnPredictor(Model(), lambda x: x, classes=2)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_saved_predictions(suffix: str, samples: Dataset, tmp_path: Path) -> None:
    """Some of them, out of order; those of an HDF5 file are written as another language would."""
    direct = CallablePredictor(in_layout(1), BOTH, layout="nchw")
    at = np.array([6, 1, 3])
    path = save_predictions(tmp_path / "said.npz", samples, direct, at, batch_size=2)
    if suffix == ".h5":
        with np.load(path) as parts, h5py.File(tmp_path / "said.h5", "w") as file:
            file.create_dataset("id", data=parts["id"].tolist(), dtype=h5py.string_dtype())
            file["mask_prob"], file["class_prob"] = parts["mask_prob"], parts["class_prob"]
        path = tmp_path / "said.h5"
    saved = SavedPredictions(path)
    said, expected = saved.look_up(samples.ids[[3, 6]], samples.images[[3, 6]]), direct.predict(samples.images[[3, 6]])
    assert np.array_equal(said.mask_prob, expected.mask_prob)  # type: ignore[arg-type]
    assert np.array_equal(said.class_prob, expected.class_prob)  # type: ignore[arg-type]
    part = samples.part(at)
    assert evaluate(saved, part).samples == evaluate(direct, part).samples
    assert best_threshold(saved, part) == best_threshold(direct, part)
    with pytest.raises(
        PredictionError, match=r"no prediction for 4 of 7 test samples: slide g/é, slide a/é, slide f/é"
    ):
        evaluate(saved, samples)


def test_masks_of_another_number_of_structures_are_refused(samples: Dataset, tmp_path: Path) -> None:
    for n in (1, 3):
        wrong = CallablePredictor(lambda x, n=n: Predictions(np.repeat(x[:, :1], n, axis=1), None), layout="nchw")
        saved = SavedPredictions(save_predictions(tmp_path / "said.npz", samples, wrong))
        for predictor in (wrong, saved):
            with pytest.raises(PredictionError, match=rf"expected shape \(7, 2, 24, 24\), got \(7, {n}, 24, 24\)"):
                evaluate(predictor, samples)
