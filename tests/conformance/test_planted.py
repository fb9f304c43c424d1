"""Faults of a case's code that a benchmark would hide or report late: each is found by its own check, with a hint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from btlib.cases import Case, Prepared, Work
from btlib.conformance import Subject, examine
from btlib.data.dataset import Dataset
from btlib.errors import BtlibError
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42
from btlib.types import Predictions

Found = dict[str, tuple[str, str]]


class Model:
    def __init__(self, predict: Callable[[np.ndarray], object]) -> None:
        self.predict = predict


@pytest.fixture
def run(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Callable[..., Found]:
    """Outcome and message of every check of a case with masks."""

    def go(predict: Callable[[np.ndarray], object], **prepared: Any) -> Found:
        case = Case("mine", "", True, False, lambda work: Prepared(Model(predict), "given", **prepared))
        data, split = make_dataset(12), slice_seed42(12)
        work = Work.on(data, split, Protocol(image_size=32), Recipe(), 0, tmp_path)
        subject = Subject(case, work, data.part(np.arange(6)), data.images[:6], data.ids[split.test])
        return {one.check: (one.outcome, one.message) for one in examine(subject)}

    return go


def failed(results: Found) -> list[str]:
    return [name for name, (outcome, _) in results.items() if outcome == "fail"]


def sound(images: np.ndarray) -> Predictions:
    return Predictions(np.clip(images / 8, 0, 1), None)


class EagerTensor:
    """A stand-in for TensorFlow's, which these tests do not install."""

    __module__ = "tensorflow.python.framework.ops"

    def __init__(self, values: np.ndarray) -> None:
        self.shape = values.shape


TENSORS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "torch": (torch.from_numpy, "torch.Tensor", ".detach().float().cpu().numpy()"),
    "torch with a gradient": (lambda x: torch.from_numpy(x).requires_grad_(), "torch.Tensor", ".detach()"),
    "jax": (jnp.asarray, "jaxlib.", "np.asarray(…)"),
    "tensorflow": (EagerTensor, "tensorflow.EagerTensor", ".numpy()"),
    "lists": (lambda x: x.tolist(), "list", "np.asarray(…)"),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_tensors_in_place_of_arrays(kind: str, run: Callable[..., Found]) -> None:
    convert, named, hint = TENSORS[kind]
    results = run(lambda images: Predictions(convert(sound(images).mask_prob), None))
    assert failed(results) == ["predict", "empty input"] or failed(results) == ["predict"]
    assert f"mask_prob: expected a NumPy array, got {named}" in results["predict"][1]
    assert hint in results["predict"][1].partition("Hint: ")[2]


def test_a_tensor_in_place_of_predictions(run: Callable[..., Found]) -> None:
    results = run(lambda images: torch.from_numpy(images))
    assert "expected Predictions, got torch.Tensor" in results["predict"][1]


@pytest.mark.parametrize("threshold", [-0.1, 1.5, 127, float("nan"), float("inf"), "0.5", True])
def test_thresholds_outside_their_range(threshold: Any, run: Callable[..., Found]) -> None:
    results = run(sound, threshold=threshold)
    assert failed(results) == ["fields"]
    assert f"threshold: expected 0…1 or None, got {threshold!r}" in results["fields"][1]
    assert "Hint: give the probability above which a pixel belongs to the mask" in results["fields"][1]
    assert results["determinism"][0] == "pass"  # the other checks are made all the same


@pytest.mark.parametrize("threshold", [None, 0, 1, 0.5, np.float32(0.3)])
def test_thresholds_that_are_valid(threshold: Any, run: Callable[..., Found]) -> None:
    assert set(run(sound, threshold=threshold).values()) == {("pass", "")}


@pytest.mark.parametrize("details", [{"lr": np.float32(1)}, {"loss": float("nan")}, {"threshold": 0.5}])
def test_details_that_a_record_cannot_hold(details: dict[str, Any], run: Callable[..., Found]) -> None:
    assert failed(run(sound, details=details)) == ["fields"]


def scales_in_place(images: np.ndarray) -> Predictions:
    images /= 8
    return Predictions(np.clip(images, 0, 1).copy(), None)


def test_images_that_are_changed_in_place_are_a_note(run: Callable[..., Found]) -> None:
    results = run(scales_in_place)
    assert failed(results) == []
    outcome, message = results["own input"]
    assert outcome == "note"
    assert "predict changes the images that it is given" in message
    assert "images = images.copy()" in message


def test_earlier_answers_that_change_with_a_later_call_are_a_note(run: Callable[..., Found]) -> None:
    """A buffer for the largest batch, of which views are returned, as captured CUDA graphs do."""
    buffer = np.zeros((6, 1, 32, 32), np.float32)

    def predict(images: np.ndarray) -> Predictions:
        view = buffer[: len(images)] if images.shape[2:] == (32, 32) else np.empty_like(images)
        view[:] = np.clip(images / 8, 0, 1)
        return Predictions(view, None)

    results = run(predict)
    assert failed(results) == []
    assert results["own arrays"][0] == "note"
    assert "Return a copy: np.array(…)" in results["own arrays"][1]


def test_dropout_and_statistics_of_the_batch_fail(run: Callable[..., Found]) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.BatchNorm2d(1), torch.nn.Dropout(0.5), torch.nn.Sigmoid())

    def predict(images: np.ndarray) -> Predictions:
        with torch.no_grad():
            return Predictions(net(torch.from_numpy(images)).numpy(), None)

    results = run(predict)
    assert failed(results) == ["determinism"]
    assert "disable dropout" in results["determinism"][1]
    net = torch.nn.Sequential(torch.nn.BatchNorm2d(1, track_running_stats=False), torch.nn.Sigmoid())
    results = run(predict)
    assert "batch size" in failed(results)
    assert "set batch norm to eval mode" in results["batch size"][1]


def test_a_case_claims_any_size_or_declares_one() -> None:
    with pytest.raises(BtlibError, match="declares image_size=32 and any_size=True"):
        Case("a", "", True, False, lambda work: Prepared(Model(sound), "given"), image_size=32, any_size=True)
