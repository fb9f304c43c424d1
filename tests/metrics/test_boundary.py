"""Boundaries against MONAI, by hand, and where MONAI's rule for a miss is not ours."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from btlib.errors import PredictionError, StatsError
from btlib.metrics import boundary_distances, dice, hd95, iou, surface_dice

SHAPE = (23, 37)
MASKS = arrays(bool, (9, 14))


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping ellipses, one of them ragged, some at the border."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE)

    def ellipse() -> np.ndarray:
        cy, cx, ry, rx = rng.uniform(2, 20), rng.uniform(2, 34), rng.uniform(2, 9), rng.uniform(2, 12)
        return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 + rng.uniform(-0.3, 0.3, SHAPE) < 1

    return ellipse(), ellipse()


def monai(pred: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """HD95 and surface Dice at 1 and 2 pixels as MONAI computes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own, and of what we test on purpose: empty masks
        import torch
        from monai.metrics import compute_hausdorff_distance, compute_surface_dice

        p, t = (torch.from_numpy(mask.copy())[None, None].float() for mask in (pred, truth))
        distance = compute_hausdorff_distance(p, t, include_background=True, percentile=95)
        shares = [compute_surface_dice(p, t, [k], include_background=True, use_subvoxels=False) for k in (1.0, 2.0)]
    return float(distance), *(float(share) for share in shares)


@pytest.mark.parametrize("seed", range(25))
def test_as_monai(seed: int):
    pred, truth = blobs(seed)
    assert pred.any()
    assert truth.any()
    ours = (hd95(pred, truth), surface_dice(pred, truth, 1.0), surface_dice(pred, truth, 2.0))
    assert ours == pytest.approx(monai(pred, truth), abs=1e-5)


def test_a_miss_is_where_we_differ_from_monai():
    """MONAI's HD95 of an empty prediction is NaN or infinite, and its means drop it: missing a tumour would help."""
    _, truth = blobs(0)
    empty = np.zeros(SHAPE, bool)
    assert not np.isfinite(monai(empty, truth)[0])
    for pair in ((empty, truth), (truth, empty)):
        assert hd95(*pair) == pytest.approx(np.hypot(23, 37))
        assert surface_dice(*pair) == surface_dice(*pair, 100.0) == 0


def test_two_empty_masks_have_no_boundary():
    empty = np.zeros(SHAPE, bool)
    assert np.isnan(hd95(empty, empty))
    assert np.isnan(surface_dice(empty, empty))


def pixel(row: int, column: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[row, column] = True
    return mask


def test_by_hand():
    """3 down and 4 across are 5 pixels, and rows are not columns."""
    assert hd95(pixel(2, 3), pixel(5, 7)) == 5
    assert hd95(pixel(2, 3), pixel(2, 36)) == 33
    assert surface_dice(pixel(2, 3), pixel(2, 4), 1.0) == 1
    assert surface_dice(pixel(2, 3), pixel(3, 4), 1.0) == 0
    square = np.zeros(SHAPE, bool)
    square[2:7, 4:9] = True
    distances = boundary_distances(square, square)
    assert len(distances.forth) == len(distances.back) == 16  # the rim of 5 × 5
    hollow = square.copy()
    hollow[3:6, 5:8] = False
    assert surface_dice(hollow, square, 0.0) == 1  # only boundaries count, and a rim is all boundary


def test_the_border_of_the_image_is_a_boundary():
    corner = np.zeros(SHAPE, bool)
    corner[:4, :6] = True
    assert len(boundary_distances(corner, corner).forth) == 2 * (4 + 6) - 4
    whole = np.ones(SHAPE, bool)
    assert len(boundary_distances(whole, whole).forth) == 2 * (23 + 37) - 4


@given(a=MASKS, b=MASKS)
def test_properties(a: np.ndarray, b: np.ndarray):
    if not (a.any() and b.any()):
        return
    distance = hd95(a, b)
    assert distance == hd95(b, a) == pytest.approx(hd95(a.T, b.T)) == pytest.approx(hd95(a[::-1], b[::-1]))
    assert 0 <= distance <= np.hypot(*a.shape)
    assert hd95(a, a) == 0
    shares = [surface_dice(a, b, k) for k in (0.0, 1.0, 2.0, 20.0)]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shares == [surface_dice(b, a, k) for k in (0.0, 1.0, 2.0, 20.0)]


@given(a=arrays(bool, (7, 8)), b=arrays(bool, (7, 8)), pad=st.integers(0, 5))
def test_empty_space_around_changes_nothing(a: np.ndarray, b: np.ndarray, pad: int):
    if not (a.any() and b.any()):
        return
    wide = [np.pad(mask, pad) for mask in (a, b)]
    assert hd95(*wide) == pytest.approx(hd95(a, b))
    assert surface_dice(*wide) == surface_dice(a, b)


def test_masks_of_different_shapes_or_of_numbers():
    with pytest.raises(PredictionError, match="shapes differ"):
        hd95(np.ones((3, 4), bool), np.ones((4, 3), bool))
    with pytest.raises(PredictionError, match="expected bool"):
        surface_dice(np.ones((3, 4)), np.ones((3, 4), bool))


def test_a_stack_of_masks_is_not_one_mask():
    stack = np.ones((2, 3, 4), bool)
    for formula in (hd95, surface_dice, dice, iou):
        with pytest.raises(PredictionError, match=r"expected bool \[h, w\], got bool \(2, 3, 4\)"):
            formula(stack, stack)


@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_a_tolerance_that_nothing_can_meet(tolerance: float):
    with pytest.raises(StatsError, match="tolerance: expected 0 or more"):
        surface_dice(pixel(2, 3), pixel(2, 3), tolerance)


def slowly(pred: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of boundary pixels, one by one."""

    def rim(mask: np.ndarray) -> list[tuple[int, int]]:
        wide = np.pad(mask, 1)
        steps = ((0, 1), (2, 1), (1, 0), (1, 2))
        return [(y, x) for y, x in zip(*np.nonzero(mask), strict=True) if not all(wide[y + a, x + b] for a, b in steps)]

    far = np.array([[np.hypot(a - c, b - d) for c, d in rim(truth)] for a, b in rim(pred)])
    return far.min(axis=1), far.min(axis=0)


@given(a=arrays(bool, (5, 8)), b=arrays(bool, (5, 8)))
def test_distances_are_those_of_all_pairs(a: np.ndarray, b: np.ndarray):
    if not (a.any() and b.any()):
        return
    found, (forth, back) = boundary_distances(a, b), slowly(a, b)
    assert found.forth == pytest.approx(forth)
    assert found.back == pytest.approx(back)
    assert found.hd95() == pytest.approx(max(np.percentile(forth, 95), np.percentile(back, 95)))


def test_one_pixel_is_the_usual_tolerance() -> None:
    near, diagonal, far = (surface_dice(pixel(2, 3), pixel(*other)) for other in ((3, 3), (3, 4), (4, 3)))
    assert (near, diagonal, far) == (1, 0, 0)
    assert surface_dice(pixel(2, 3), pixel(4, 3), 2.0) == 1


def test_the_worse_of_the_two_directions_counts() -> None:
    """One far speck in either mask, among enough pixels that a percentile could overlook it from one side."""
    line = np.zeros(SHAPE, bool)
    line[10, :4] = True
    speck = line.copy()
    speck[10, 36] = True
    assert boundary_distances(speck, line).forth.tolist() == [0, 0, 0, 0, 33]
    assert boundary_distances(speck, line).back.tolist() == [0, 0, 0, 0]
    assert hd95(speck, line) == hd95(line, speck) == pytest.approx(33 * 0.8)  # the 95th percentile of 0, 0, 0, 0, 33
    assert surface_dice(speck, line) == surface_dice(line, speck) == 8 / 9


def test_a_miss_has_the_pixels_of_neither() -> None:
    empty = np.zeros(SHAPE, bool)
    for found, (missed, undefined) in (
        (boundary_distances(empty, pixel(1, 2)), (True, False)),
        (boundary_distances(pixel(1, 2), empty), (True, False)),
        (boundary_distances(empty, empty), (False, True)),
        (boundary_distances(pixel(1, 2), pixel(3, 4)), (False, False)),
    ):
        assert (found.missed, found.undefined) == (missed, undefined)
        assert found.diagonal == np.hypot(23, 37)
