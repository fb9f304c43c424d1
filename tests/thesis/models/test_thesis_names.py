"""The thesis's checkpoints under its own names: there and back, and refused with a reason where they do not fit."""

from collections.abc import Callable
from itertools import permutations

import pytest
import torch
from torch import Tensor

from btlib.errors import CheckpointError, UnknownNameError
from btlib.thesis.models import VARIANTS, TumourModel, load_thesis_state_dict, to_thesis_state_dict

Make = Callable[..., TumourModel]

# Copied from the thesis's list of names in its checkpoints; D's are those of its description.
PREFIXES = {
    "A": {"model.backbone", "model.classifier", "model.aux_classifier"},
    "B": {"encoder", "classifier.2", "classifier.5"},
    "C": {"encoder", "seg_decoder", "classifier.2", "classifier.5"},
    "D": {"model.backbone", "model.classifier", "model.aux_classifier", "classifier.2", "classifier.5"},
    "E": {"model.backbone", "model.classifier", "model.aux_classifier", "classifier.2", "classifier.5", "cls_proj"},
    "F": {
        *("model.backbone", "model.classifier", "model.aux_classifier", "classifier.2", "classifier.5"),
        *("seg_feature_extractor.0", "seg_feature_extractor.2"),
    },
    "G": {
        *("model.backbone", "model.classifier", "model.aux_classifier"),
        *("cls_feature_extractor.2", "cls_final.1", "cls_proj"),
    },
}
every_variant = pytest.mark.parametrize("variant", list(VARIANTS))


def load(variant: str, state: dict[str, Tensor]) -> TumourModel:
    return load_thesis_state_dict(variant, state, backbone="tiny")


def prefix(key: str, known: set[str]) -> str | None:
    return next((p for p in known if key.startswith(p + ".")), None)


@every_variant
def test_names_are_the_thesiss_and_nothing_else(variant: str, tiny: Make) -> None:
    found = {prefix(key, PREFIXES[variant]) for key in to_thesis_state_dict(tiny(variant))}
    assert found == PREFIXES[variant]


@every_variant
def test_there_and_back_again(variant: str, tiny: Make, images: Callable[..., Tensor]) -> None:
    model = tiny(variant, seed=11).eval()
    theirs = to_thesis_state_dict(model)
    again = load(variant, theirs)
    assert not again.training
    assert again.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in model.state_dict().items())
    assert all(torch.equal(value, theirs[key]) for key, value in to_thesis_state_dict(again).items())
    with torch.inference_mode():
        before, after = model(images()), again(images())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True) if a is not None)


def test_a_loaded_c_is_as_frozen_as_a_made_one(tiny: Make) -> None:
    model = load("C", to_thesis_state_dict(tiny("C")))
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        name for name, p in tiny("C").named_parameters() if p.requires_grad
    }


def test_a_whole_lightning_checkpoint_is_taken(tiny: Make) -> None:
    model = tiny("E", seed=3)
    checkpoint = {"epoch": 9, "state_dict": to_thesis_state_dict(model), "pytorch-lightning_version": "2.5.0"}
    loaded = load_thesis_state_dict("E", checkpoint, backbone="tiny").state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())


def test_what_is_loaded_does_not_share_memory_with_the_checkpoint(tiny: Make) -> None:
    state = to_thesis_state_dict(tiny("B"))
    model = load("B", state)
    kept = model.state_dict()["head.out.weight"].clone()
    state["classifier.5.weight"].zero_()
    assert torch.equal(model.state_dict()["head.out.weight"], kept)


@pytest.mark.parametrize(("asked", "given"), list(permutations(VARIANTS, 2)))
def test_another_variants_checkpoint_is_refused_and_named(asked: str, given: str, tiny: Make) -> None:
    with pytest.raises(CheckpointError, match=f"^variant {asked}: ") as caught:
        load(asked, to_thesis_state_dict(tiny(given)))
    assert f"those of variant {given};" in str(caught.value.hint)


def without(state: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    return {k: v for k, v in state.items() if k != key}


@every_variant
def test_damaged_checkpoints_are_refused_and_the_tensor_named(variant: str, tiny: Make) -> None:
    state = to_thesis_state_dict(tiny(variant))
    key = next(k for k in state if k.endswith("running_mean"))
    tail = key.partition(".")[2].removeprefix("backbone.")
    for damaged, problem in (
        (without(state, key), "missing"),
        ({**without(state, key), key: torch.zeros(7)}, r"shape \[7\], expected \[24\]"),
        ({**state, "surplus.weight": torch.zeros(1)}, "unexpected"),
    ):
        with pytest.raises(CheckpointError, match=problem) as caught:
            load(variant, damaged)
        assert ("surplus.weight" if problem == "unexpected" else tail) in caught.value.problem
        assert "1 tensors" in caught.value.problem
        assert f"variant {variant}" not in str(caught.value.hint)  # it is one, and loading it as that is no cure


def test_a_checkpoint_of_nothing_is_refused() -> None:
    with pytest.raises(CheckpointError, match="missing"):
        load("A", {})


def test_a_checkpoint_under_our_names_is_not_taken_for_the_thesiss(tiny: Make) -> None:
    with pytest.raises(CheckpointError, match=r"backbone\.down\.0\.0\.weight"):
        load("A", tiny("A").state_dict())


def test_a_checkpoint_on_another_backbone_is_refused(tiny: Make) -> None:
    with pytest.raises(CheckpointError, match="variant B"):
        load_thesis_state_dict("B", to_thesis_state_dict(tiny("B")))


def test_unknown_variants_are_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'G'"):
        load_thesis_state_dict("g", {})
