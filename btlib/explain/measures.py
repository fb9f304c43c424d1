"""Does a map point at the tumour? Measures of one map and one mask, and what maps get that never saw the sample.

- inside, outside, ratio: the thesis's. Their size is that of the model's confidence, and the ratio explodes where the
  mean outside is near 0.
- pointing game: is the strongest pixel in the mask (Zhang et al., 2018, doi 10.1007/s11263-017-1059-x; without their
  tolerance of 15 px)? Occlusion maps are constant between two strides, so the strongest pixels tie: the measure is the
  share of them that lie in the mask, what a pixel drawn among them hits on average.
- relevance mass: the share of the positive relevance that lies in the mask (Arras et al., 2022,
  doi 10.1016/j.inffus.2021.11.008).

For both, chance is the mask's share of the pixels; that is what a constant map gets.
"""

import numpy as np
from numpy.typing import NDArray

from btlib.errors import StatsError
from btlib.explain.explained import Control, Measures
from btlib.explain.patches import positions, spread

DRAWS = 20
"""Random maps whose measures are averaged."""

_TIE = 1e-6
"""Pixels closer to the strongest than this share of the map's range are as strong: sums are rounded."""


def measure(found: NDArray[np.floating], mask: NDArray[np.bool_]) -> Measures:
    """How a map lies to a mask.

    Args:
        found: The map, float [h, w]; pixels that are NaN do not count.
        mask: The tumour, bool [h, w].

    Raises:
        StatsError: Shapes differ, an infinite value, or no pixel that counts inside or outside of the mask.
    """
    values, tumour = _counting(found, mask)
    inside, outside = float(values[tumour].mean()), float(values[~tumour].mean())
    reach = values.max() - _TIE * np.ptp(values) - 1e-12 * np.abs(values).max()
    strongest = values >= reach
    relevance = np.maximum(values, 0)
    whole = float(relevance.sum())
    share = float(tumour.mean())
    return Measures(
        inside=inside,
        outside=outside,
        ratio=ratio_of(inside, outside),
        pointing=float(tumour[strongest].mean()),
        tied=int(np.count_nonzero(strongest)),
        mass=float(relevance[tumour].sum()) / whole if whole > 0 else share,
        silent=whole <= 0,
    )


def ratio_of(inside: float, outside: float) -> float | None:
    """Inside / outside; None where that is no finite number."""
    ratio = float(np.divide(inside, outside)) if abs(outside) > np.finfo(float).tiny else np.inf
    return ratio if np.isfinite(ratio) else None


def chance(found: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """The mask's share of the pixels that count, 0…1.

    Raises:
        StatsError: As `measure`.
    """
    return float(_counting(found, mask)[1].mean())


def control(found: NDArray[np.floating], mask: NDArray[np.bool_]) -> Control:
    """The two measures that a map without any model has too.

    Raises:
        StatsError: As `measure`.
    """
    measured = measure(found, mask)
    return Control(pointing=measured.pointing, mass=measured.mass)


def centre_prior(masks: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A map that knows only where tumours are wont to lie: a Gaussian with their mean position and spread.

    Args:
        masks: Training masks, of one tumour type, bool [n, h, w]. Without a tumour pixel in them the Gaussian stands in
            the middle, a quarter of each side wide.
        shape: Height and width.

    Returns:
        float64 [h, w], at most 1.
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
    """What sums and averages of random drops get: normal ones at the positions of the patches, mean of `DRAWS` maps.

    Sums are larger in the middle, where more patches overlap: what they gain by that is shown here.

    Args:
        mask: The tumour, bool [h, w].
        patch: Side of the patch in pixels.
        stride: In pixels.
        seed: Same seed, same result.

    Raises:
        OptionError: Patch, stride and sample do not go together.
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
    """Values and mask of the pixels that count, [k] each."""
    if found.shape != mask.shape:
        raise StatsError(f"a map of shape {found.shape} for a mask of shape {mask.shape}", where="explanation")
    if np.isinf(found).any():
        raise StatsError("the map is infinite somewhere", where="explanation", hint="look where that came from")
    counts = ~np.isnan(found)
    tumour = np.asarray(mask[counts], dtype=bool)
    if not (tumour.any() and not tumour.all()):
        raise StatsError(
            f"{np.count_nonzero(tumour)} of the {tumour.size} pixels under a patch belong to the tumour: there is "
            "nothing inside, or nothing outside",
            where="explanation",
            hint="explain a sample with a tumour, with a stride that reaches it",
        )
    return np.asarray(found[counts], dtype=np.float64), tumour
