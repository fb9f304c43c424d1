"""A model cut down to its classes says of them what the whole model says."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from btlib.adapters.outputs import Outputs
from btlib.adapters.torch import TorchPredictor
from btlib.engines import ENGINES, Subject
from btlib.errors import ModelError
from btlib.explain.classes_only import classes_only
from btlib.thesis.models.variants import VARIANTS

Make = Callable[..., Subject]
CLASSIFYING = [name for name in VARIANTS if VARIANTS[name].has_classes]


def plain(subject: Subject) -> TorchPredictor:
    return TorchPredictor(subject.model, subject.device, "fp32", subject.outputs)


@pytest.fixture
def images() -> np.ndarray:
    noise = np.random.default_rng(0).random((5, 1, 64, 64), dtype=np.float32)
    return noise * np.arange(1, 6, dtype=np.float32)[:, None, None, None]


def test_all_but_a_have_classes():
    assert list("BCDEFG") == CLASSIFYING


@pytest.mark.parametrize("variant", CLASSIFYING)
def test_it_says_what_the_whole_model_says(variant: str, subject: Make, images: np.ndarray):
    whole = subject(variant)
    for cut in (images, images[:, :, :40], images[:1]):  # H ≠ W, n = 1
        ours, theirs = plain(classes_only(whole)).predict(cut), plain(whole).predict(cut)
        assert ours.mask_prob is None
        assert np.ptp(theirs.class_prob[:, 0]) > 1e-3 or len(cut) == 1
        assert np.abs(ours.class_prob - theirs.class_prob).max() < 1e-6


@pytest.mark.parametrize("variant", CLASSIFYING)
def test_only_f_runs_its_decoder(variant: str, subject: Make, images: np.ndarray):
    whole = subject(variant)
    runs: list[str] = []
    for name in ("backbone", "decoder", "head"):
        part = getattr(whole.model, name)
        if part is not None:
            part.register_forward_hook(lambda *_, name=name: runs.append(name))
    plain(classes_only(whole)).predict(images)
    assert runs == (["backbone", "decoder", "head"] if variant == "F" else ["backbone", "head"])


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        *(("eager", "E"), ("eager", "F"), ("openvino", "E"), ("openvino", "F")),
        pytest.param("onnxruntime", "F", marks=pytest.mark.nightly),  # an export takes seconds
    ],
)
def test_engines_run_it(name: str, variant: str, subject: Make, images: np.ndarray):
    whole = subject(variant)
    expected = plain(whole).predict(images).class_prob
    ENGINES[name].build(whole)  # converted under the same folder; it must not be taken for the other
    said = ENGINES[name].build(classes_only(whole)).predict(images)
    assert said.mask_prob is None
    assert np.abs(said.class_prob - expected).max() < 1e-4


def test_it_is_folded(subject: Make):
    smaller = classes_only(subject("F"))
    folded = ENGINES["eager"].build(smaller).model
    norms = [m for part in (folded.backbone, folded.decoder) for m in part.modules() if "BatchNorm" in type(m).__name__]
    assert norms == []
    assert any("BatchNorm" in type(m).__name__ for m in smaller.model.modules())  # a copy was folded


def test_the_model_itself_is_left_alone(subject: Make, images: np.ndarray):
    whole = subject("E")
    before = plain(whole).predict(images)
    plain(classes_only(whole)).predict(images)
    after = plain(whole).predict(images)
    assert np.array_equal(before.mask_prob, after.mask_prob)
    assert np.array_equal(before.class_prob, after.class_prob)


def test_what_has_no_classes_is_refused(subject: Make):
    with pytest.raises(ModelError, match=r"^occlusion: has no classes") as refused:
        classes_only(subject("A"))
    assert "explain a model that predicts classes" in str(refused.value)
    with pytest.raises(ModelError, match="has no classes"):
        classes_only(replace(subject("F"), model=torch.nn.Identity(), outputs=Outputs(mask=0)))


def test_another_model_is_asked_for_its_classes_alone(images: np.ndarray):
    class Other(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"seg": images, "cls": images.mean((1, 2, 3))[:, None] * torch.tensor([1.0, 2.0, 3.0])}

    whole = Subject(Other().eval(), Outputs(mask="seg", classes="cls"), torch.device("cpu"), "fp32", 64)
    said = ENGINES["eager"].build(classes_only(whole)).predict(images)
    assert said.mask_prob is None
    assert np.array_equal(said.class_prob, plain(whole).predict(images).class_prob)
