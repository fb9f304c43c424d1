"""What every variant promises, over the whole registry, on odd sides and h ≠ w."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from btlib.data.task import Task
from btlib.errors import ModelError
from btlib.thesis.models import VARIANTS, TumourModel, create

Make = Callable[..., TumourModel]
Noise = Callable[..., Tensor]
every_variant = pytest.mark.parametrize("variant", list(VARIANTS))


@every_variant
@pytest.mark.parametrize(("n", "h", "w"), [(1, 33, 47), (3, 16, 16), (2, 16, 71)])
def test_shapes_types_and_ranges(variant: str, n: int, h: int, w: int, tiny: Make, images: Noise) -> None:
    row = VARIANTS[variant]
    with torch.inference_mode():
        logits, prob, classes = tiny(variant).eval()(images(n, h, w))
    assert (logits is not None, prob is not None, classes is not None) == (row.has_mask, row.has_mask, row.has_classes)
    assert all(
        part.dtype == torch.float32 and part.isfinite().all() for part in (logits, prob, classes) if part is not None
    )
    if row.has_classes:
        assert classes.shape == (n, 3)
    if row.has_mask:
        assert logits.shape == prob.shape == (n, 1, h, w)
        assert 0 <= prob.min() < prob.max() <= 1


@every_variant
def test_classes_and_structures_are_those_of_the_task(variant: str, images: Noise) -> None:
    """On images of three channels, each of which counts."""
    task = Task(name="other", classes=tuple("abcd"), structures=("core", "rim"), channels=("r", "g", "b"))
    row, model = VARIANTS[variant], create(variant, backbone="tiny", task=task).eval()
    colour = torch.cat([images(2, seed=seed) for seed in range(3)], dim=1)
    with torch.inference_mode():
        logits, prob, classes = model(colour)
        swapped = model(colour[:, [0, 2, 1]])
        grey, alike = model(colour[:, :1]), model(colour[:, [0, 0, 0]])
    if row.has_classes:
        assert classes.shape == (2, 4)
    if row.has_mask:
        assert logits.shape == prob.shape == (2, 2, 33, 47)
        assert not torch.equal(logits[:, 0], logits[:, 1])
    for one, other, first, second in zip((logits, prob, classes), swapped, grey, alike, strict=True):
        assert one is None or not torch.equal(one, other)
        assert first is None or torch.equal(first, second)


@every_variant
def test_masks_stay_float32_under_bf16_autocast(variant: str, tiny: Make, images: Noise) -> None:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits, prob, classes = tiny(variant).eval()(images())
    assert {part.dtype for part in (logits, prob) if part is not None} <= {torch.float32}
    assert classes is None or classes.dtype == torch.bfloat16  # autocast was really on


@every_variant
def test_a_slice_does_not_depend_on_its_batch(variant: str, tiny: Make, images: Noise) -> None:
    model, batch = tiny(variant).eval(), images(3)
    with torch.inference_mode():
        together = model(batch)
        alone = [model(batch[i : i + 1]) for i in range(3)]
    for part, singles in zip(together, zip(*alone, strict=True), strict=True):
        if part is not None:
            torch.testing.assert_close(torch.cat(singles), part, rtol=0, atol=1e-5)


@every_variant
def test_every_output_depends_on_the_image(variant: str, tiny: Make, images: Noise) -> None:
    model = tiny(variant).eval()
    with torch.inference_mode():
        one, other = model(images(seed=1)), model(images(seed=2))
    assert all(not torch.equal(a, b) for a, b in zip(one, other, strict=True) if a is not None)


@every_variant
def test_eval_is_deterministic_and_training_is_not(variant: str, tiny: Make, images: Noise) -> None:
    row, batch, model = VARIANTS[variant], images(4), tiny(variant)
    with torch.no_grad():
        same = [model.eval()(batch) for _ in range(2)]
        first, second = [model.train()(batch) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*same, strict=True) if a is not None)
    if row.has_classes:
        assert not torch.equal(first.class_logits, second.class_logits)
    if row.has_mask:  # C's decoder is frozen, its dropout with it
        assert torch.equal(first.mask_logits, second.mask_logits) == (row.frozen_from is not None)


@every_variant
@pytest.mark.parametrize(
    "shape",
    [(1, 2, 32, 48), (1, 4, 32, 48), (1, 1, 15, 48), (1, 1, 48, 15), (1, 32, 48), (32, 48), (1, 1, 1, 32, 48)],
)
def test_images_of_another_shape_are_refused_by_name(variant: str, shape: tuple[int, ...], tiny: Make) -> None:
    with pytest.raises(ModelError, match=f"variant {variant}") as caught:
        tiny(variant).eval()(torch.zeros(shape))
    assert str(list(shape)) in str(caught.value)
