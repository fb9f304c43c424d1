"""Occlusion maps against the rule in plain loops, and against Captum."""

from math import ceil

import captum.attr
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from btlib.errors import OptionError, PredictionError, UnknownNameError
from btlib.explain import occlusion_maps, positions
from btlib.explain.occlusion import filled

SIZES = [(64, 64), (48, 72), (72, 40)]


class Small(torch.nn.Module):
    """float64 [n, 1, h, w] → probabilities [n, 3]; no two pixels count the same."""

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weights = torch.randn(3, *shape, generator=generator, dtype=torch.float64) / 60

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.softmax(torch.einsum("nhw,khw->nk", images[:, 0].double().square(), self.weights), 1)

    def score(self, images: np.ndarray) -> np.ndarray:
        return self(torch.from_numpy(images)[:, None])[:, 1].numpy()


def noise(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return 2 * np.random.default_rng(seed).random(shape, dtype=np.float32)


def restated(score, image, patch, stride, instead=None, *, partial=False):
    """The rule, one sample at a time: (sum of drops, number of patches) over each pixel.

    With `partial`, one patch more where the stride does not divide, cut off at the border, as Captum does.
    """
    instead = np.zeros_like(image) if instead is None else instead
    h, w = image.shape
    rounded = ceil if partial else int
    total, patches = np.zeros((h, w)), np.zeros((h, w))
    for i in range(rounded((h - patch) / stride) + 1):
        for j in range(rounded((w - patch) / stride) + 1):
            hidden = image.copy()
            for y in range(i * stride, min(i * stride + patch, h)):
                for x in range(j * stride, min(j * stride + patch, w)):
                    hidden[y, x] = instead[y, x]
            drop = score(image[None])[0] - score(hidden[None])[0]
            total[i * stride : i * stride + patch, j * stride : j * stride + patch] += drop
            patches[i * stride : i * stride + patch, j * stride : j * stride + patch] += 1
    return total, patches


def by_captum(model, image, patch, stride, instead=0):
    instead = torch.from_numpy(instead)[None, None] if isinstance(instead, np.ndarray) else instead
    found = captum.attr.Occlusion(model).attribute(
        torch.from_numpy(image)[None, None].double(),
        sliding_window_shapes=(1, patch, patch),
        strides=(1, stride, stride),
        baselines=instead,
        target=1,
        perturbations_per_eval=8,
    )
    return found[0, 0].numpy()


@pytest.mark.parametrize("shape", SIZES)
def test_the_thesis_map_is_the_sum(shape):
    model, image = Small(shape), noise(shape)
    found = occlusion_maps(model.score, image, patch=16, stride=8)
    total, patches = restated(model.score, image, 16, 8)
    assert np.abs(total).max() > 0.01
    assert np.abs(found.total - total).max() < 1e-5
    assert np.abs(found.average - total / patches).max() < 1e-5
    assert found.base == pytest.approx(model.score(image[None])[0])
    assert found.total.dtype == found.average.dtype == found.drops.dtype == np.float64


@pytest.mark.parametrize("fill", ["zero", "mean", "blur"])
@pytest.mark.parametrize("shape", SIZES)
def test_the_average_is_captums(shape, fill):
    model, image = Small(shape), noise(shape)
    instead = {"zero": 0, "mean": float(image.mean()), "blur": filled(image, "blur", 16)}[fill]
    theirs = by_captum(model, image, 16, 8, instead)
    assert np.abs(theirs).max() > 1e-3
    ours = occlusion_maps(model.score, image, patch=16, stride=8, fill=fill)
    assert np.abs(ours.average - theirs).max() < 1e-5


def test_where_the_stride_does_not_divide_captum_adds_patches_cut_off_at_the_border():
    shape = (45, 53)  # 45 - 16 = 3 * 8 + 5, 53 - 16 = 4 * 8 + 5
    model, image = Small(shape), noise(shape)
    total, patches = restated(model.score, image, 16, 8, partial=True)
    assert np.abs(total / patches - by_captum(model, image, 16, 8)).max() < 1e-5
    total, patches = restated(model.score, image, 16, 8)
    ours = occlusion_maps(model.score, image, patch=16, stride=8)
    assert ours.drops.shape == (4, 5)
    assert np.abs(ours.total - total).max() < 1e-5
    assert (ours.total[40:] == 0).all()
    assert (ours.total[:, 48:] == 0).all()
    assert np.array_equal(np.isnan(ours.average), patches == 0)


def test_the_thesis_has_841_positions():
    tops, lefts = positions((256, 256))
    assert (len(tops), len(lefts), tops[-1], lefts[1]) == (29, 29, 224, 8)


@given(st.integers(1, 70), st.integers(1, 70), st.data())
def test_positions(h, w, data):
    patch = data.draw(st.integers(1, min(h, w)))
    stride = data.draw(st.integers(1, patch))
    for side, edges in zip((h, w), positions((h, w), patch, stride), strict=True):
        assert edges[0] == 0
        assert (np.diff(edges) == stride).all()
        assert edges[-1] + patch <= side < edges[-1] + patch + stride  # whole patches only, and all of them
        bare = set(range(side)) - {pixel for edge in edges for pixel in range(edge, edge + patch)}
        assert bare == set(range(edges[-1] + patch, side))  # only at the far border


@given(st.integers(4, 20), st.integers(4, 20), st.integers(1, 4), st.integers(1, 9), st.integers(0, 9))
def test_every_drop_is_under_its_patch_and_batches_do_not_matter(h, w, patch, batch_size, seed):
    model, image = Small((h, w)), noise((h, w), seed)
    found = occlusion_maps(model.score, image, patch=patch, stride=patch, batch_size=batch_size)
    whole = occlusion_maps(model.score, image, patch=patch, stride=patch, batch_size=1000)
    assert found.total.sum() == pytest.approx(patch**2 * found.drops.sum())
    assert np.allclose(found.drops, whole.drops, rtol=0, atol=1e-12)
    assert found.effect == np.ptp(found.drops)


def test_a_constant_model_has_a_map_of_zeros():
    found = occlusion_maps(lambda images: np.full(len(images), 0.3, np.float32), noise((64, 40)), patch=16)
    assert (found.total == 0).all()
    assert (found.average == 0).all()
    assert found.effect == 0


def test_what_is_seen_is_the_slice_with_one_patch_hidden():
    image = noise((24, 40))
    before = image.copy()
    seen, batches = [], []

    def score(images):
        batches.append(images)
        seen.extend(images.copy())
        return images.mean((1, 2))

    occlusion_maps(score, image, patch=16, stride=8, batch_size=3)
    assert np.array_equal(image, before)
    assert [len(batch) for batch in batches] == [3, 3, 3]
    assert all(np.shares_memory(batch, batches[0]) for batch in batches)  # one buffer
    expected = [image.copy() for _ in range(9)]
    for hidden, (top, left) in zip(expected[1:], [(t, s) for t in (0, 8) for s in (0, 8, 16, 24)], strict=True):
        hidden[top : top + 16, left : left + 16] = 0
    assert np.array_equal(seen, expected)
    assert all(np.array_equal(rest, image) for rest in batches[0])  # restored


@pytest.mark.parametrize("fill", ["zero", "mean", "blur"])
def test_a_patch_hides_all_channels_each_by_itself(fill):
    """As if they were images side by side: of a score that is their sum, the map is the sum of theirs."""
    model, image = Small((48, 64)), np.stack([noise((48, 64), seed) for seed in (0, 1)])
    how = {"patch": 16, "stride": 8, "fill": fill}
    seen = occlusion_maps(lambda images: sum(model.score(images[:, c]) for c in (0, 1)), image, **how)
    alone = [occlusion_maps(model.score, channel, **how) for channel in image]
    assert np.abs(seen.total - sum(one.total for one in alone)).max() < 1e-5
    assert seen.total.shape == (48, 64)
    assert np.array_equal(filled(image, fill, 16), np.stack([filled(channel, fill, 16) for channel in image]))


def test_a_patch_as_large_as_the_slice():
    found = occlusion_maps(lambda images: images.max((1, 2)), noise((16, 16)) + 1, patch=16, stride=5)
    assert found.drops.shape == (1, 1)
    assert (found.total == found.drops[0, 0]).all()
    assert found.drops[0, 0] == found.base  # all is zero then


def test_fills():
    image = noise((48, 64))
    assert (filled(image, "zero") == 0).all()
    assert filled(image, "mean") == pytest.approx(np.full((48, 64), image.mean()))
    blurred = filled(image, "blur", 12)
    assert np.abs(blurred - cv2.GaussianBlur(image, (0, 0), 4, borderType=cv2.BORDER_REPLICATE)).max() < 1e-3
    assert {filled(image, fill).dtype for fill in ("zero", "mean", "blur")} == {np.dtype("float32")}
    flat = np.full((48, 64), 0.7, np.float32)
    for fill in ("mean", "blur"):  # nothing is hidden where there is nothing to see
        assert np.abs(occlusion_maps(Small((48, 64)).score, flat, patch=16, fill=fill).total).max() < 1e-5
    assert np.abs(occlusion_maps(Small((48, 64)).score, flat, patch=16).total).max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"stride": 0}, "expected a stride of 1…32"),
        ({"patch": 8, "stride": 9}, "expected a stride of 1…8"),
        ({"patch": 0, "stride": 0}, "patch: expected a whole number from 1"),
        ({"patch": 41}, r"a patch of 41 px does not fit a sample of shape \(64, 40\)"),
        ({"batch_size": 0}, "batch size: expected a whole number from 1"),
    ],
)
def test_settings_that_do_not_go_together(settings, problem):
    with pytest.raises(OptionError, match=problem):
        occlusion_maps(lambda images: images.mean((1, 2)), noise((64, 40)), **settings)


def test_what_is_no_slice_no_fill_no_score():
    def mean(images):
        return images.mean((1, 2))

    with pytest.raises(
        OptionError, match=r"expected an image \[h, w\] or \[channels, h, w\], got shape \(1, 1, 64, 64\)"
    ):
        occlusion_maps(mean, noise((64, 64))[None, None])
    with pytest.raises(UnknownNameError, match="did you mean 'blur'"):
        occlusion_maps(mean, noise((64, 64)), fill="blurred")
    for score in (lambda images: np.full(len(images), np.nan), lambda images: images.mean(2), lambda images: 0.5):
        with pytest.raises(PredictionError, match="finite scores, one per image"):
            occlusion_maps(score, noise((64, 64)))
