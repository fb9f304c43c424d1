"""Augmentation moves image and mask together, keeps distances, and depends on its generator alone."""

import pytest
import torch

from btlib.thesis.training import augment
from btlib.thesis.training.augment import augmented


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


@pytest.fixture
def fixed(still: None, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing is turned, zoomed or shifted; slices are only mirrored."""
    monkeypatch.setattr(augment, "TURN", 0.0)
    monkeypatch.setattr(augment, "ZOOM", (1.0, 1.0))
    monkeypatch.setattr(augment, "SHIFT", 0.0)
    return monkeypatch


def corner() -> torch.Tensor:
    """A block of 4 by 6 pixels at the upper left, each with a value of its own."""
    image = torch.zeros(40, 1, 16, 24)
    image[:, 0, 2:6, 1:7] = torch.arange(1, 25).float().reshape(4, 6)
    return image


def test_slices_are_mirrored_both_ways(fixed: pytest.MonkeyPatch) -> None:
    images, masks = augmented(corner(), (corner() > 0).float(), rng())
    ways = {axes: corner()[0, 0].flip(axes) for axes in ((), (0,), (1,), (0, 1))}
    seen = set()
    for image, mask in zip(images[:, 0], masks[:, 0], strict=True):
        (axes,) = (axes for axes, way in ways.items() if torch.allclose(image, way, atol=1e-4))
        assert torch.equal(mask, (ways[axes] > 0).float())
        seen.add(axes)
    assert seen == set(ways)


@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_zoom_is_how_much_larger_things_become(fixed: pytest.MonkeyPatch, zoom: float) -> None:
    fixed.setattr(augment, "ZOOM", (zoom, zoom))
    _, masks = augmented(disc(radius=8), disc(radius=8), rng())
    area = disc(radius=8).sum(dim=(1, 2, 3))
    assert (masks.sum(dim=(1, 2, 3)) / area - zoom**2).abs().max() < 0.2 * zoom**2


def test_a_shift_is_a_share_of_half_the_image_each_way(fixed: pytest.MonkeyPatch) -> None:
    fixed.setattr(augment, "SHIFT", 0.5)
    _, masks = augmented(disc(radius=4), disc(radius=4), rng())
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    centres = [(float(y[mask > 0].mean() - 32), float(x[mask > 0].mean() - 48)) for mask in masks[:, 0]]
    for axis, half in ((0, 32), (1, 48)):
        moved = [centre[axis] for centre in centres]
        assert -0.5 * half - 1 <= min(moved) < -0.2 * half, "towards either side"
        assert 0.2 * half < max(moved) <= 0.5 * half + 1


def test_slices_are_shifted_either_way_mirrored_or_not(fixed: pytest.MonkeyPatch) -> None:
    fixed.setattr(augment, "SHIFT", 0.3)
    images = torch.zeros(60, 1, 64, 96)
    images[:, 0, 28:36, 44:52] = 1  # in the middle, and a brighter one below it, to the right
    images[:, 0, 40:44, 60:64] = 3
    moved, _ = augmented(images, images, rng())
    y, x = torch.meshgrid(torch.arange(64.0) - 31.5, torch.arange(96.0) - 47.5, indexing="ij")
    found = []
    for image in moved[:, 0]:
        middle, other = (image > 0.5) & (image < 1.5), image > 2.5
        at = [float(axis[middle].median()) for axis in (y, x)]
        found.append([(float(axis[other].mean()) > where, where > 0) for axis, where in zip((y, x), at, strict=True)])
    for axis in (0, 1):
        ways = [one[axis] for one in found]
        assert set(ways) == {(True, True), (True, False), (False, True), (False, False)}


def test_slices_are_turned_both_ways_and_keep_their_shape(fixed: pytest.MonkeyPatch) -> None:
    fixed.setattr(augment, "TURN", 0.5)
    bar = torch.zeros(40, 1, 64, 96)
    bar[:, 0, 30:34, 28:68] = 1
    _, masks = augmented(bar, bar, rng())
    angles = []
    for mask in masks[:, 0]:
        y, x = torch.nonzero(mask, as_tuple=True)
        (a, b), (_, d) = torch.cov(torch.stack([y.float(), x.float()])).tolist()
        angles.append(0.5 * float(torch.atan2(torch.tensor(2 * b), torch.tensor(d - a))))
        long = (d + a + ((d - a) ** 2 + 4 * b**2) ** 0.5) / 2
        assert (12 * long) ** 0.5 == pytest.approx(40, abs=3), "its length, whatever the image's sides"
    assert -0.55 < min(angles) < -0.3
    assert 0.3 < max(angles) < 0.55


def test_gamma_and_noise_are_relative_to_the_brightest_pixel(fixed: pytest.MonkeyPatch) -> None:
    fixed.setattr(augment, "GAMMA", (2.0, 2.0))
    images, _ = augmented(corner() * 10, corner(), rng())
    values = torch.arange(1, 25).float() / 24
    expected = torch.cat([torch.zeros(16 * 24 - 24), (240 * values**2)])
    assert torch.allclose(images[0].flatten().sort().values, expected, rtol=1e-3, atol=1e-2)
    fixed.setattr(augment, "GAMMA", (1.0, 1.0))
    fixed.setattr(augment, "NOISE", 0.5)
    black = torch.zeros(40, 1, 16, 24)
    black[:, 0, 0, 0] = 10.0
    noisy, _ = augmented(black, black, rng())
    spread = noisy[:, 0, 4:12, 4:20].flatten(1).std(dim=1)
    assert 4.0 < spread.max() < 5.5
    assert spread.min() < 1.0, "each slice has its own"


def test_what_is_below_zero_is_made_black(fixed: pytest.MonkeyPatch) -> None:
    images, _ = augmented(torch.full((2, 1, 4, 6), -1.0), torch.zeros(2, 1, 4, 6), rng())
    assert (images == 0).all()


def test_each_axis_is_mirrored_in_half_of_the_slices():
    """A bright quarter stays or crosses to the other side; turns of ±30° do not take it there."""
    n = 2000
    images = torch.zeros(n, 1, 16, 16)
    images[:, :, 2:8, 2:8] = 1
    found, _ = augmented(images, torch.zeros(n, 1, 16, 16), torch.Generator().manual_seed(0))
    top, left = found[:, 0, :8].mean((1, 2)), found[:, 0, :, :8].mean((1, 2))
    bottom, right = found[:, 0, 8:].mean((1, 2)), found[:, 0, :, 8:].mean((1, 2))
    for stayed in (top > bottom, left > right):
        assert abs(stayed.float().mean().item() - 0.5) < 0.05
