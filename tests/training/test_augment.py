"""Augmentation moves image and mask together, keeps distances, and depends on its generator alone."""

import pytest
import torch

from btlib.training import augment
from btlib.training.augment import augmented


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disc(height: int = 64, width: int = 96, radius: float = 12) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (((y - height / 2) ** 2 + (x - width / 2) ** 2).sqrt() < radius).float().expand(20, 1, -1, -1)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gamma, no noise: what is left is where things go."""
    monkeypatch.setattr(augment, "GAMMA", (1.0, 1.0))
    monkeypatch.setattr(augment, "NOISE", 0.0)


@pytest.mark.usefixtures("still")
def test_image_and_mask_go_together():
    images, masks = augmented(disc() * 7, disc(), rng())
    assert images.shape == masks.shape == (20, 1, 64, 96)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert ((images > 3.5).float() - masks).abs().mean() < 0.005
    assert (masks - disc()).abs().amax(dim=(1, 2, 3)).min() == 1, "some slice stayed where it was"


@pytest.mark.usefixtures("still")
def test_a_disc_stays_a_disc_whatever_the_sides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(augment, "ZOOM", (1.0, 1.0))
    _, masks = augmented(disc(), disc(), rng())
    for mask in masks[:, 0]:
        y, x = torch.nonzero(mask, as_tuple=True)
        height, width = int(y.max() - y.min()) + 1, int(x.max() - x.min()) + 1
        assert abs(height - 24) <= 2
        assert abs(width - 24) <= 2


@pytest.mark.usefixtures("still")
def test_zoom_keeps_within_its_range():
    _, masks = augmented(disc(), disc(), rng())
    sides = (masks.sum(dim=(1, 2, 3)) / disc().sum(dim=(1, 2, 3))).sqrt()
    assert 0.7 < sides.min() < 0.95
    assert 1.05 < sides.max() < 1.35


def test_each_slice_by_itself_and_by_the_generator_alone():
    torch.manual_seed(1)
    one = augmented(disc(), disc(), rng(5))
    torch.manual_seed(2)
    again, other = augmented(disc(), disc(), rng(5)), augmented(disc(), disc(), rng(6))
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[0], other[0])
    assert len({tuple(image.flatten().tolist()) for image in one[0]}) == 20


def test_a_black_slice_stays_finite():
    images, masks = augmented(torch.zeros(3, 1, 16, 24), torch.zeros(3, 1, 16, 24), rng())
    assert torch.isfinite(images).all()
    assert masks.sum() == 0
