"""What training moves: nothing of C but its class head, everything but the unused auxiliary head elsewhere."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from btlib.thesis.models import VARIANTS, TumourModel

Make = Callable[..., TumourModel]
Noise = Callable[..., Tensor]
Loss = Callable[[TumourModel, Tensor], Tensor]


def train(model: TumourModel, batches: list[Tensor], loss: Loss) -> set[str]:
    """A few steps of Adam over all parameters; the names of parameters and buffers that moved."""
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for batch in batches:
        optimizer.zero_grad()
        loss(model, batch).backward()
        optimizer.step()
    return {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}


def rooms(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def statistics(model: TumourModel, room: str) -> set[str]:
    return {f"{room}.{name}" for name, _ in model.get_submodule(room).named_buffers()}


def test_only_the_head_of_c_can_be_trained(tiny: Make) -> None:
    trainable = {name for name, p in tiny("C").named_parameters() if p.requires_grad}
    assert trainable == {"head.embed.weight", "head.embed.bias", "head.out.weight", "head.out.bias"}


@pytest.mark.parametrize("call_train", [True, False], ids=["after train()", "as created"])
def test_training_c_leaves_encoder_and_decoder_bit_identical(
    call_train: bool, tiny: Make, images: Noise, variant_loss: Loss
) -> None:
    """Batch-norm statistics too, even where nobody calls train(): Lightning's fit does not."""
    model = tiny("C")
    if call_train:
        model.eval()
        model.train()
    moved = train(model, [images(4, seed=i) for i in range(3)], variant_loss)
    assert moved == {"head.embed.weight", "head.embed.bias", "head.out.weight", "head.out.bias"}


@pytest.mark.parametrize("call_train", [True, False], ids=["after train()", "as created"])
def test_c_as_in_the_thesis_lets_the_encoders_statistics_drift(
    call_train: bool, tiny: Make, images: Noise, variant_loss: Loss
) -> None:
    model = tiny("C", drifting_batch_norm=True)
    if call_train:
        model.train()
    moved = train(model, [images(4, seed=i) for i in range(3)], variant_loss)
    assert {name for name in moved if not name.startswith("head.")} == statistics(model, "backbone")
    assert rooms(moved) == {"head", "backbone"}


def test_drifting_ends_with_training(tiny: Make, images: Noise) -> None:
    model = tiny("C", drifting_batch_norm=True).train().eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model(images())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_modes_of_c_in_training(tiny: Make) -> None:
    plain, drifting = tiny("C").train(), tiny("C", drifting_batch_norm=True).train()
    assert [plain.training, plain.backbone.training, plain.decoder.training, plain.head.training] == [
        True,
        False,
        False,
        True,
    ]
    assert not any(m.training for m in plain.backbone.modules())
    assert [drifting.backbone.training, drifting.decoder.training] == [True, False]


@pytest.mark.parametrize("variant", [name for name in VARIANTS if VARIANTS[name].frozen_from is None])
def test_training_moves_every_part_but_the_unused_auxiliary_head(
    variant: str, tiny: Make, images: Noise, variant_loss: Loss
) -> None:
    model = tiny(variant)
    used = {key for key in model.state_dict() if not key.startswith("aux.")}
    assert train(model, [images(4)], variant_loss) == used


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_trainable_parameter_gets_a_gradient(variant: str, tiny: Make, images: Noise, variant_loss: Loss) -> None:
    model = tiny(variant)
    variant_loss(model, images(4)).backward()
    without = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0}
    frozen = ("backbone.", "decoder.") if variant == "C" else ()
    assert without == {name for name, _ in model.named_parameters() if name.startswith(("aux.", *frozen))}
