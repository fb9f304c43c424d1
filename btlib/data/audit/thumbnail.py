"""Thumbnails of images and masks, and the descriptors by which near-duplicates are found.

A descriptor describes the local structure of an image and neither its brightness nor its contrast: the thumbnail is
divided by its local mean and standard deviation, and its low frequencies (discrete cosine transform) are kept.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 128
"""Side of a stored thumbnail in pixels."""

FINE = 64
"""Side at which two images are compared for a decision."""

_COARSE = 32  # side at which candidates are searched
_BAND = 16  # lowest frequencies per axis that a descriptor contains
_SPREAD = 3.0  # standard deviation in pixels of the window of the local mean
_FLOOR = 0.02  # of the range of intensities; weaker detail is noise
_CROPS = (0.95, 0.9, 0.85, 0.8)  # central parts that are searched too, because a copy may be cut
_FLAT = 0.02  # of the range of intensities; a border that varies less is padding

FRAMES = ("whole", "without border", *(f"central {share:.0%}" for share in _CROPS))
"""Parts of an image that have a descriptor."""

_V, _U = (part.reshape(-1) for part in np.meshgrid(np.arange(_BAND), np.arange(_BAND)))
_ORDER = np.lexsort((_V, _U, _V % 2, _U % 2))  # four blocks: frequencies even and odd along each axis
QUARTER = _BAND * _BAND // 4
"""Length of each of the four blocks of a descriptor."""

_PLACE = np.argsort(_ORDER)  # of frequency (u, v) in a descriptor
TRANSPOSE = np.asarray(_PLACE[_V * _BAND + _U][_ORDER])
"""Index that gives the descriptor of the transposed image."""

LENGTH = _BAND * _BAND


def grey(image: NDArray[np.generic]) -> Floats:
    """Return an image [channels, h, w] as one plane 0…1: the mean of its channels, each scaled by its own range.

    The range is the 0.5th to 99.5th percentile, so that a hot pixel does not hide the rest.
    """
    planes = []
    for channel in image:
        plane = channel.astype(np.float32)
        step = max(1, int(np.sqrt(plane.size / 40_000)))
        low, high = np.percentile(plane[::step, ::step], (0.5, 99.5))
        if high <= low:
            low, high = float(plane.min()), float(plane.max())
        planes.append(np.clip((plane - low) / max(float(high - low), 1e-12), 0, 1))
    return np.asarray(planes[0] if len(planes) == 1 else np.mean(planes, axis=0), np.float32)


def shrunk(plane: Floats, side: int) -> Floats:
    """Return the plane [h, w] at side × side; areas are averaged, so that no detail aliases."""
    import cv2

    smaller = min(plane.shape) >= side
    rule = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(plane), (side, side), interpolation=rule), np.float32)


def structure(plane: Floats) -> Floats:
    """Return the local structure of a plane: mean 0 and standard deviation 1 in each neighbourhood, then of norm 1.

    A plane without detail becomes 0, and so is similar to nothing.
    """
    import cv2

    spread = float(plane.max() - plane.min())
    if spread < 1e-6:
        return np.zeros_like(plane)
    centred = plane - cv2.GaussianBlur(plane, (0, 0), _SPREAD)
    local = np.sqrt(cv2.GaussianBlur(centred * centred, (0, 0), _SPREAD))
    found = np.asarray(centred / (local + _FLOOR * spread), np.float32)
    found -= found.mean()
    return found / max(float(np.linalg.norm(found)), 1e-9)


def border(plane: Floats) -> tuple[int, int, int, int]:
    """Return the width in pixels of the uniform border at the top, bottom, left and right of a plane [h, w].

    A plane that is uniform everywhere has no border.
    """
    tolerance = _FLAT * float(plane.max() - plane.min())
    widths = []
    for lines in (plane, plane[::-1], plane.T, plane.T[::-1]):
        uniform = np.abs(lines - lines[0, 0]).max(axis=1) <= tolerance
        widths.append(int(np.argmin(uniform)) if not uniform.all() else -1)
    return (0, 0, 0, 0) if -1 in widths else (widths[0], widths[1], widths[2], widths[3])


def framed(plane: Floats, frame: int, widths: tuple[float, float, float, float]) -> Floats:
    """Return a part of a plane.

    Args:
        plane: Plane [h, w].
        frame: Number of the part in FRAMES.
        widths: Width of the border at the top, bottom, left and right, as a share of the side.
    """
    h, w = plane.shape
    if frame == 0:
        return plane
    if frame > 1:
        cut = (1 - _CROPS[frame - 2]) / 2
        widths = (cut, cut, cut, cut)
    top, bottom, left, right = widths
    part = plane[round(top * h) : h - round(bottom * h), round(left * w) : w - round(right * w)]
    return part if min(part.shape) >= 4 else plane


def descriptor(plane: Floats) -> Floats:
    """Return the descriptor of a plane [h, w], float32 [LENGTH] of norm 1; 0 for a plane without detail."""
    import cv2

    waves = cv2.dct(structure(shrunk(plane, _COARSE)))[:_BAND, :_BAND].reshape(-1)
    norm = float(np.linalg.norm(waves))
    return np.asarray(waves[_ORDER] / norm if norm > 1e-6 else np.zeros(LENGTH), np.float32)
