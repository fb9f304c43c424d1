"""Makers that every test of the models shares."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from btlib.thesis.models import TumourModel, create, losses


@pytest.fixture
def images() -> Callable[..., Tensor]:
    """Noise [n, 1, h, w], 0…1; by default with odd sides and h ≠ w."""

    def make(n: int = 2, h: int = 33, w: int = 47, seed: int = 0) -> Tensor:
        return torch.rand(n, 1, h, w, generator=torch.Generator().manual_seed(seed))

    return make


@pytest.fixture
def tiny() -> Callable[..., TumourModel]:
    """A variant on the smallest backbone, its initial weights drawn from a seed."""

    def make(variant: str, *, seed: int = 0, drifting_batch_norm: bool = False) -> TumourModel:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return create(variant, backbone="tiny", drifting_batch_norm=drifting_batch_norm)

    return make


@pytest.fixture
def variant_loss() -> Callable[[TumourModel, Tensor], Tensor]:
    """The sum of the losses that the table gives a variant, on masks and labels made up for these images."""

    def total(model: TumourModel, images: Tensor) -> Tensor:
        masks, labels = (images > 0.7).float(), torch.arange(len(images)) % 3
        output = model(images)
        parts = {
            "seg": lambda: losses.segmentation_loss(output, masks),
            "cls": lambda: losses.classification_loss(output, labels),
        }
        return torch.stack([parts[name]() for name in model.variant.losses]).sum()

    return total
