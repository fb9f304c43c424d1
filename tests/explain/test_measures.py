"""The measures against plain loops, on maps whose answer is known, and what knows nothing of the sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from btlib.errors import StatsError
from btlib.explain.measures import DRAWS, centre_prior, chance, control, measure, random_controls
from btlib.explain.patches import scaled

SHAPE = (20, 32)


@pytest.fixture
def mask() -> np.ndarray:
    """Sixty of 640 pixels."""
    mask = np.zeros(SHAPE, bool)
    mask[3:9, 20:30] = True
    return mask


@st.composite
def maps_and_masks(draw):
    shape = draw(st.tuples(st.integers(1, 9), st.integers(2, 9)))
    values = draw(arrays(np.float64, shape, elements=st.integers(-5, 5).map(float)))
    mask = draw(arrays(bool, shape).filter(lambda m: m.any() and not m.all()))
    return values, mask


@given(maps_and_masks())
def test_the_rules_in_plain_loops(drawn):
    values, mask = drawn
    pixels = [(v, m) for row, marks in zip(values, mask, strict=True) for v, m in zip(row, marks, strict=True)]
    inside, outside = [v for v, m in pixels if m], [v for v, m in pixels if not m]
    found = measure(values, mask)
    assert found.inside == pytest.approx(sum(inside) / len(inside))
    assert found.outside == pytest.approx(sum(outside) / len(outside))
    if found.ratio is None:
        assert sum(outside) == 0
    else:
        assert found.ratio == pytest.approx(found.inside / found.outside)
    best = max(v for v, _ in pixels)
    strongest = [m for v, m in pixels if v == best]
    assert (found.tied, found.pointing) == (len(strongest), pytest.approx(sum(strongest) / len(strongest)))
    positive = sum(v for v, _ in pixels if v > 0)
    assert found.silent == (positive == 0)
    assert found.mass == pytest.approx(
        sum(v for v in inside if v > 0) / positive if positive else len(inside) / len(pixels)
    )


@given(maps_and_masks(), st.floats(1e-3, 1e3))
def test_turning_and_scaling_change_nothing_but_the_means(drawn, factor):
    values, mask = drawn
    one = measure(values, mask)
    for other in (measure(values.T, mask.T), measure(factor * values, mask)):
        assert (other.pointing, other.tied, other.silent) == (one.pointing, one.tied, one.silent)
        assert other.mass == pytest.approx(one.mass)
    turned = measure(-values, mask)
    assert (turned.inside, turned.outside) == (-one.inside, -one.outside)


@pytest.mark.parametrize("value", [0.0, -0.3, 0.1, 1e-300, 7.0])
def test_a_constant_map_gets_chance(mask: np.ndarray, value: float):
    found = measure(np.full(SHAPE, value), mask)
    assert chance(np.zeros(SHAPE), mask) == 60 / 640
    assert (found.pointing, found.mass) == pytest.approx((60 / 640, 60 / 640))
    assert found.tied == 640
    assert (found.inside, found.outside) == pytest.approx((value, value))
    assert found.silent == (value <= 0)
    assert found.ratio is None if value == 0 else found.ratio == pytest.approx(1)


def test_a_map_that_is_the_mask(mask: np.ndarray):
    found = measure(mask.astype(float), mask)
    assert (found.inside, found.outside, found.pointing, found.mass, found.tied) == (1, 0, 1, 1, 60)
    assert found.ratio is None  # nothing outside: the ratio is no number
    missed = measure(1 - mask.astype(float), mask)
    assert (missed.pointing, missed.mass, missed.silent) == (0, 0, False)


def test_strongest_pixels_tie_in_spite_of_rounding(mask: np.ndarray):
    values = np.zeros(SHAPE)
    values[3:5, 18:22] = 0.7
    values[4, 19] += 1e-16
    assert (measure(values, mask).tied, measure(values, mask).pointing) == (8, 0.5)
    assert measure(values.astype(np.float32), mask).tied == 8


def test_bare_pixels_do_not_count(mask: np.ndarray):
    values = mask.astype(float)
    values[:, 30:] = np.nan
    assert chance(values, mask) == 60 / 600
    assert measure(values, mask) == measure(values[:, :30], mask[:, :30])


def test_what_cannot_be_measured(mask: np.ndarray):
    bare = np.where(mask, np.nan, 1.0)
    for values, tumour, told in (
        (np.zeros(SHAPE), np.zeros(SHAPE, bool), "0 of the 640 pixels under a patch belong to the tumour"),
        (np.zeros(SHAPE), np.ones(SHAPE, bool), "640 of the 640"),
        (bare, mask, "0 of the 580"),
        (np.zeros(SHAPE).T, mask, r"the shapes of map \(32, 20\) and mask \(20, 32\) differ"),
        (np.full(SHAPE, np.inf), mask, "infinite"),
    ):
        with pytest.raises(StatsError, match=told):
            measure(values, tumour)


def test_the_centre_prior_stands_where_tumours_lie(mask: np.ndarray):
    other = np.zeros(SHAPE, bool)
    other[5:7, 10:12] = True
    rows, columns = np.nonzero(mask)
    prior = centre_prior(np.stack([mask]), SHAPE)
    assert prior.shape == SHAPE
    at = np.indices(SHAPE)
    weights = prior / prior.sum()
    assert (weights * at[0]).sum() == pytest.approx(rows.mean(), abs=0.1)
    assert (weights * at[1]).sum() == pytest.approx(columns.mean(), abs=0.3)  # cut off on the right
    assert prior[5, 24] > prior[5, 10]
    assert control(prior, mask).pointing == 1
    assert control(prior, other).pointing == 0
    wide = centre_prior(np.stack([mask, other]), SHAPE)
    assert wide[5, 11] > prior[5, 11]  # a tumour there too makes it likelier


def test_the_centre_prior_without_training_tumours():
    for masks in (np.zeros((0, *SHAPE), bool), np.zeros((2, *SHAPE), bool)):
        prior = centre_prior(masks, SHAPE)
        assert np.allclose(prior, prior[::-1, ::-1])
        assert np.unravel_index(prior.argmax(), SHAPE) in {(9, 15), (9, 16), (10, 15), (10, 16)}


def test_the_centre_prior_of_one_pixel_is_finite():
    mask = np.zeros((1, *SHAPE), bool)
    mask[0, 4, 6] = True
    prior = centre_prior(mask, SHAPE)
    assert np.unravel_index(prior.argmax(), SHAPE) == (4, 6)
    assert np.isfinite(prior).all()


def test_random_maps_are_seeded_and_weighted_as_maps_are():
    """Sums are largest where patches overlap, averages where they do not: the controls show what that alone gives."""
    middle = np.zeros((40, 64), bool)
    middle[15:25, 24:40] = True
    corners = np.zeros((40, 64), bool)
    for rows in (slice(4), slice(-4, None)):
        for columns in (slice(4), slice(-4, None)):
            corners[rows, columns] = True
    total, average = random_controls(middle, 16, 4, seed=3)
    assert (total, average) == random_controls(middle, 16, 4, seed=3)
    assert (total, average) != random_controls(middle, 16, 4, seed=4)
    share = middle.mean()
    assert total.mass > 1.3 * share
    assert total.pointing > share
    in_corners = random_controls(corners, 16, 4, seed=3)
    assert in_corners[1].pointing > corners.mean()
    assert in_corners[0].mass < corners.mean()
    assert round(total.pointing * DRAWS * 16) == pytest.approx(total.pointing * DRAWS * 16)  # shares of 4×4 px cells


@pytest.mark.parametrize(
    ("side", "patches", "steps", "expected"),
    [(256, 8, 4, (32, 8)), (96, 6, 2, (16, 8)), (96, 8, 4, (12, 3)), (7, 8, 4, (1, 1)), (32, 6, 2, (5, 2))],
)
def test_patches_scale_with_the_slice(side, patches, steps, expected):
    assert scaled(side, patches, steps) == expected
