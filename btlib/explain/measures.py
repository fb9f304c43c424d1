"""Measures of whether a map points at the tumour, and the same measures of control maps without a model.

- inside, outside, ratio: the measures of the thesis. Their size depends on the model's confidence, and the ratio is
  unstable if the mean outside is near 0.
- pointing game: whether the strongest pixel is in the mask (Zhang et al., 2018, doi 10.1007/s11263-017-1059-x; without
  their tolerance of 15 px). Occlusion maps are constant between two strides, so several pixels are the strongest. The
  measure is the share of them that lie in the mask, the expected result for one of them drawn at random.
- relevance mass: the share of the positive relevance that lies in the mask (Arras et al., 2022,
  doi 10.1016/j.inffus.2021.11.008).

For the last two, chance is the mask's share of the pixels, which is the result of a constant map.
"""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import StatsError
from btlib.explain.explained import Control, Measures
from btlib.explain.patches import positions, spread

DRAWS = 20
"""Number of random maps whose measures are averaged."""

_TIE = 1e-6
"""Tolerance for the strongest pixels, as a share of the map's range; it allows for rounding of the sums."""


def measure(found: NDArray[np.floating], mask: NDArray[np.bool_]) -> Measures:
    """Compute the measures of a map with respect to a mask.

    Args:
        found: Map, float [h, w]; pixels that are NaN do not count.
        mask: Tumour mask, bool [h, w].

    Raises:
        StatsError: The shapes differ, a value is infinite, or no pixel inside or outside of the mask counts.
    """
    values, tumour = _counting(found, mask)
    inside, outside = float(values[tumour].mean()), float(values[~tumour].mean())
    reach = values.max() - _TIE * np.ptp(values) - 1e-12 * np.abs(values).max()
    strongest = values >= reach
    relevance = np.maximum(values, 0)
    relevance_sum = float(relevance.sum())
    share = float(tumour.mean())
    return Measures(
        inside=inside,
        outside=outside,
        ratio=ratio_of(inside, outside),
        pointing=float(tumour[strongest].mean()),
        tied=int(np.count_nonzero(strongest)),
        mass=float(relevance[tumour].sum()) / relevance_sum if relevance_sum > 0 else share,
        silent=relevance_sum <= 0,
    )


def ratio_of(inside: float, outside: float) -> float | None:
    """Return inside / outside; None if it is not a finite number."""
    ratio = float(np.divide(inside, outside)) if abs(outside) > np.finfo(float).tiny else np.inf
    return ratio if np.isfinite(ratio) else None


def chance(found: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Return the mask's share of the pixels that count, 0…1.

    Raises:
        StatsError: As `measure`.
    """
    return float(_counting(found, mask)[1].mean())


def control(found: NDArray[np.floating], mask: NDArray[np.bool_]) -> Control:
    """Compute the measures of a control map: pointing and mass.

    Raises:
        StatsError: As `measure`.
    """
    measured = measure(found, mask)
    return Control(pointing=measured.pointing, mass=measured.mass)


def centre_prior(masks: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Compute the centre prior: a Gaussian with the mean position and spread of the training tumours.

    Args:
        masks: Training masks of one class, bool [n, h, w]. If they have no tumour pixel, the Gaussian is in the middle,
            with a standard deviation of a quarter of each side.
        shape: Height and width.

    Returns:
        Map, float64 [h, w], at most 1.
    """
    often = masks.sum(axis=0, dtype=np.float64) if len(masks) else np.zeros(shape)
    sides = []
    for axis, side in enumerate(shape):
        at, weights = np.arange(side), often.sum(axis=1 - axis)
        if weights.sum() > 0:
            middle = np.average(at, weights=weights)
            width = np.sqrt(np.average((at - middle) ** 2, weights=weights))
        else:
            middle, width = (side - 1) / 2, side / 4
        sides.append(np.exp(-(((at - middle) / max(width, 1.0)) ** 2) / 2))
    return np.outer(*sides)


def random_controls(mask: NDArray[np.bool_], patch: int, stride: int, seed: int) -> tuple[Control, Control]:
    """Measure sums and averages of random drops: mean measures of `DRAWS` maps of normally distributed drops.

    Sums are larger in the middle, where more patches overlap. This control shows the advantage that this gives.

    Args:
        mask: Tumour mask, bool [h, w].
        patch: Side of the patch in pixels.
        stride: Distance from one patch to the next in pixels.
        seed: Seed of the drops; the same seed gives the same result.

    Returns:
        Measures of the sums, and of the averages.

    Raises:
        OptionError: Patch, stride and sample size do not fit each other.
        StatsError: As `measure`.
    """
    rng = np.random.default_rng(seed)
    size = tuple(map(len, positions(mask.shape, patch, stride)))
    drawn = [spread(rng.standard_normal(size), mask.shape, patch, stride) for _ in range(DRAWS)]
    totals, averages = ([control(maps[kind], mask) for maps in drawn] for kind in (0, 1))
    return _mean(totals), _mean(averages)


def _mean(controls: list[Control]) -> Control:
    return Control(
        pointing=float(np.mean([c.pointing for c in controls])), mass=float(np.mean([c.mass for c in controls]))
    )


def _counting(found: NDArray[np.floating], mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return values and mask of the pixels that count, [k] each."""
    if found.shape != mask.shape:
        raise StatsError(f"the shapes of map {found.shape} and mask {mask.shape} differ", where="explanation")
    if np.isinf(found).any():
        raise StatsError("the map has infinite values", where="explanation", hint="find their source")
    counts = ~np.isnan(found)
    tumour = np.asarray(mask[counts], dtype=bool)
    if not (tumour.any() and not tumour.all()):
        raise StatsError(
            f"{np.count_nonzero(tumour)} of the {tumour.size} pixels under a patch belong to the tumour, expected at "
            "least one inside and one outside",
            where="explanation",
            hint="explain a sample with a tumour, and choose a stride with which a patch covers it",
        )
    return np.asarray(found[counts], dtype=np.float64), tumour
