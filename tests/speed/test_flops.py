"""FLOPs of models whose FLOPs are known."""

import pytest
import torch
from torch import nn

from btlib.errors import ModelError
from btlib.speed.flops import flops_per_image
from btlib.thesis.models import create


def test_the_thesiss_network():
    """69.16 GFLOP for a sample of 256 × 256, 49.83 of them in the backbone."""
    model = create("A")
    assert flops_per_image(model, (1, 256, 256)) / 1e9 == pytest.approx(69.16, rel=1e-4)
    assert flops_per_image(model.backbone, (3, 256, 256)) / 1e9 == pytest.approx(49.83, rel=2e-4)


def test_by_hand_on_a_picture_that_is_not_square():
    """A convolution with stride and groups, then a matrix product; a bias and a ReLU are nothing."""
    model = nn.Sequential(
        nn.Conv2d(4, 6, (3, 5), stride=(1, 2), groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 5 * 4, 3)
    )
    assert flops_per_image(model, (4, 7, 11)) == 2 * (6 * 5 * 4) * (2 * 3 * 5) + 2 * (6 * 5 * 4) * 3


def test_the_model_is_left_alone():
    model = create("F", backbone="tiny").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert flops_per_image(model, (1, 32, 48)) > 0
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(value.is_meta for value in model.state_dict().values())


def test_tensors_made_on_the_way_are_no_matter():
    class Shifted(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return (images + torch.arange(images.shape[-1])) @ images.mT

    assert flops_per_image(Shifted(), (1, 3, 5)) == 2 * 3 * 5 * 3


def test_one_that_depends_on_values_says_so():
    class Deciding(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images if images.sum() > 0 else -images

    with pytest.raises(ModelError, match="its FLOPs cannot be counted: "):
        flops_per_image(Deciding(), (1, 4, 4))
    with pytest.raises(ModelError, match="its FLOPs cannot be counted: "):
        flops_per_image(create("A", backbone="tiny"), (2, 64, 64))
