"""Alignment of two thumbnails that may be moved, turned by a few degrees, scaled or cut."""

import numpy as np

from btlib.data.audit.thumbnail import Floats

_STEPS = 30
_SMOOTH = (2.0, 0.0)  # first roughly, then exactly
_LEAST_OVERLAP = 0.6  # share of the plane
_MOST_SCALE = 1.3
_MOST_SHEAR = 0.2


def aligned(one: Floats, other: Floats) -> float:
    """Return the correlation of two planes [h, w] after the second one was aligned with the first one.

    The alignment is affine and maximises the correlation (Evangelidis and Psarakis 2008,
    doi.org/10.1109/TPAMI.2008.113).

    Returns:
        Correlation −1…1 of the part that both show; −1 if they cannot be aligned, or only by a strong distortion.
    """
    import cv2

    warp = np.eye(2, 3, dtype=np.float32)
    ending = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, 1e-3)
    everywhere = np.ones(one.shape, np.uint8)
    try:
        for spread in _SMOOTH:
            a, b = (cv2.GaussianBlur(x, (0, 0), spread) if spread else x for x in (one, other))
            _, found = cv2.findTransformECC(a, b, warp, cv2.MOTION_AFFINE, ending, everywhere, 1)
            warp = np.asarray(found, np.float32)
    except cv2.error:  # it does not converge: the images differ
        return -1.0
    if _distorts(np.asarray(warp)):
        return -1.0
    h, w = one.shape
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = np.asarray(cv2.warpAffine(other, warp, (w, h), flags=how))
    both = np.asarray(cv2.warpAffine(np.ones_like(other), warp, (w, h), flags=how)) > 0.99
    if both.mean() < _LEAST_OVERLAP:
        return -1.0
    return float(np.corrcoef(one[both], moved[both])[0, 1])


def _distorts(warp: Floats) -> bool:
    """Whether the alignment scales an axis by more than 30 %, or shears the image."""
    x, y = warp[:, 0], warp[:, 1]
    lengths = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    if min(lengths) < 1 / _MOST_SCALE or max(lengths) > _MOST_SCALE:
        return True
    return abs(float(x @ y)) / (lengths[0] * lengths[1]) > _MOST_SHEAR
