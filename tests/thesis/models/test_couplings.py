"""Which output hears of which part: by intervention on its weights, and by the gradient that reaches it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from btlib.thesis.models import TumourModel

# (variant, part) → does the part reach the mask, does it reach the classes? Read off the thesis's "forward" column.
REACH = {
    ("A", "decoder.4"): (True, False),
    ("B", "head.embed"): (False, True),
    ("B", "head.out"): (False, True),
    ("C", "decoder.4"): (True, False),
    ("C", "head.embed"): (False, True),
    ("C", "head.out"): (False, True),
    ("D", "decoder.4"): (True, False),
    ("D", "head.embed"): (False, True),
    ("D", "head.out"): (False, True),
    ("E", "decoder.4"): (True, False),
    ("E", "head.embed"): (True, True),
    ("E", "head.out"): (True, True),
    ("E", "coupling.project"): (True, False),
    ("F", "decoder.4"): (True, True),
    ("F", "decoder.0"): (True, True),
    ("F", "head.embed"): (False, True),
    ("F", "head.out"): (False, True),
    ("F", "coupling.extract.0"): (False, True),
    ("G", "decoder.4"): (True, False),
    ("G", "head.embed"): (True, True),
    ("G", "head.out"): (False, True),
    ("G", "coupling.project"): (True, False),
}
each_part = pytest.mark.parametrize(("variant", "part"), list(REACH))


def outputs(model: TumourModel, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
    output = model(images)
    return output.mask_logits, output.class_logits


@each_part
def test_disturbing_a_part_changes_what_it_reaches_and_nothing_else(
    variant: str, part: str, tiny: Callable[..., TumourModel], images: Callable[..., Tensor]
) -> None:
    model, batch = tiny(variant).eval(), images()
    with torch.no_grad():
        before = outputs(model, batch)
        weight = model.get_submodule(part).weight
        weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
        after = outputs(model, batch)
    moved = tuple(b is not None and not torch.allclose(a, b, atol=1e-4) for b, a in zip(before, after, strict=True))
    still = tuple(b is not None and torch.equal(a, b) for b, a in zip(before, after, strict=True))
    assert moved == REACH[variant, part]
    assert not any(m and s for m, s in zip(moved, still, strict=True))
    assert all(m or s or b is None for m, s, b in zip(moved, still, before, strict=True))


@each_part
def test_gradients_flow_along_the_same_ways(
    variant: str, part: str, tiny: Callable[..., TumourModel], images: Callable[..., Tensor]
) -> None:
    model = tiny(variant).eval().requires_grad_(True)  # C's too: asked here is what is wired, not what is frozen
    weight = model.get_submodule(part).weight
    reached = []
    for result in outputs(model, images()):
        gradient = None
        if result is not None:
            (gradient,) = torch.autograd.grad(result.square().sum(), weight, retain_graph=True, allow_unused=True)
        reached.append(gradient is not None and bool(gradient.abs().max() > 0))
    assert tuple(reached) == REACH[variant, part]


@pytest.mark.parametrize("variant", list("ABCD"))
def test_the_uncoupled_have_nothing_to_couple_with(variant: str, tiny: Callable[..., TumourModel]) -> None:
    assert list(tiny(variant).coupling.parameters()) == []


@pytest.mark.parametrize("variant", list("EG"))
def test_the_projection_is_added_at_every_position_alike(
    variant: str, tiny: Callable[..., TumourModel], images: Callable[..., Tensor]
) -> None:
    """What the decoder is given differs from the features by one vector a slice, the same at every position."""
    model, seen = tiny(variant).eval(), {}
    assert isinstance(model.decoder, nn.Module)
    model.backbone.register_forward_hook(lambda _m, _i, out: seen.update(features=out))
    model.decoder.register_forward_pre_hook(lambda _m, args: seen.update(given=args[0]))
    with torch.inference_mode():
        model(images())
    shift = seen["given"] - seen["features"]
    assert shift.shape == (2, 128, 5, 6)
    torch.testing.assert_close(shift, shift[:, :, :1, :1].expand_as(shift), rtol=0, atol=1e-5)
    assert shift.abs().amax() > 1e-3
    assert not torch.allclose(shift[0], shift[1], atol=1e-6)  # of this slice, not of the batch
