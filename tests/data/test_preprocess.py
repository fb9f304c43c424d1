import cv2
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from btlib.data.preprocess import check, prepare_image, prepare_mask
from btlib.errors import OptionError, UnknownNameError


def bilinear(image, size):
    """An independent bilinear resize: pixel centres, edges repeated."""
    h, w = image.shape
    y = np.clip((np.arange(size) + 0.5) * h / size - 0.5, 0, h - 1)
    x = np.clip((np.arange(size) + 0.5) * w / size - 0.5, 0, w - 1)
    top, left = np.minimum(y.astype(int), h - 2), np.minimum(x.astype(int), w - 2)
    fy, fx = (y - top)[:, None], (x - left)[None]
    corner = image.astype(float)
    upper = corner[top][:, left] * (1 - fx) + corner[top][:, left + 1] * fx
    lower = corner[top + 1][:, left] * (1 - fx) + corner[top + 1][:, left + 1] * fx
    return upper * (1 - fy) + lower * fy


@pytest.mark.parametrize("shape", [(37, 52), (52, 37), (20, 91)])
def test_thesis_scaling_is_a_bilinear_resize_over_255(shape):
    image = np.random.default_rng(3).integers(0, 5000, shape).astype(np.int16)
    made = prepare_image(image, 24)
    assert made.shape == (24, 24)
    assert made.dtype == np.float32
    # int16 in, so the resize rounds to whole intensities
    np.testing.assert_allclose(made * 255, bilinear(image, 24), atol=0.51)
    assert made.max() > 1  # the thesis does not clip


def test_thesis_scaling_to_the_bit():
    """The thesis's own lines: cv2.resize of the int16 image, then float32 over 255."""
    image = np.random.default_rng(0).integers(-50, 9000, (61, 47)).astype(np.int16)
    expected = cv2.resize(image, (32, 32)).astype(np.float32) / 255
    assert np.array_equal(prepare_image(image, 32), expected)


def test_same_size_changes_nothing_but_the_scale():
    image = np.arange(64, dtype=np.int16).reshape(8, 8)
    assert (prepare_image(image, 8) * 255).round().astype(int).tolist() == image.tolist()


def test_percentile_scaling():
    image = np.arange(10000, dtype=np.int16).reshape(100, 100)
    image[0, 0] = 32000  # one hot pixel must not squash the rest
    made = prepare_image(image, 100, "percentile")
    low, high = np.percentile(image, [1, 99])
    np.testing.assert_allclose(made, np.clip((image - low) / (high - low), 0, 1), atol=1e-6)
    assert made.dtype == np.float32


def test_percentiles_are_those_of_what_a_model_sees():
    """Of the resized slice: its extremes are blended away."""
    image = np.random.default_rng(0).integers(0, 5000, (61, 47)).astype(np.int16)
    resized = cv2.resize(image, (24, 24))
    low, high = np.percentile(resized, [1, 99])
    made = prepare_image(image, 24, "percentile")
    np.testing.assert_allclose(made, np.clip((resized - low) / (high - low), 0, 1), atol=1e-6)


def test_constant_image_is_zero_after_percentile_scaling():
    assert not prepare_image(np.full((9, 9), 700, np.int16), 4, "percentile").any()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "uint32", "int64", "float16", "float64", "bool"])
def test_every_numeric_dtype_is_resized(dtype):
    image = np.array([[0, 1], [1, 1]]).astype(dtype)
    assert (prepare_image(image, 2) * 255).round().tolist() == [[0, 1], [1, 1]]


@given(st.integers(2, 70), st.integers(2, 70), st.integers(2, 40))
def test_mask_rule_is_uint8_bilinear_above_zero(h, w, size):
    mask = np.random.default_rng(h * 71 + w).random((h, w)) > 0.6
    made = prepare_mask(mask, size)
    assert made.dtype == bool
    assert np.array_equal(made, cv2.resize(mask.astype(np.uint8), (size, size)) > 0)


def test_mask_keeps_its_place():
    mask = np.zeros((40, 80), bool)
    mask[:10, 60:] = True
    made = prepare_mask(mask, 20)
    assert made[:5, 15:].all()
    assert made.sum() == 25


def test_strange_options():
    with pytest.raises(OptionError, match="a whole number from 2"):
        check(1, "thesis")
    with pytest.raises(UnknownNameError, match="did you mean 'thesis'"):
        check(256, "tesis")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_zscore_has_mean_0_and_deviation_1_in_each_channel(dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 200, (2, 31, 47)).astype(dtype)
    found = prepare_image(image, 24, "zscore")
    resized = [cv2.resize(plane.astype(np.float64), (24, 24), interpolation=cv2.INTER_LINEAR) for plane in image]
    assert found.dtype == np.float32
    for plane, expected in zip(found, resized, strict=True):
        tolerance = 0.02 if np.issubdtype(dtype, np.integer) else 1e-5  # integers are rounded when they are resized
        assert np.allclose(plane, scipy.stats.zscore(expected, axis=None), atol=tolerance)
    assert not prepare_image(np.full((9, 7), 3).astype(dtype), 8, "zscore").any()
