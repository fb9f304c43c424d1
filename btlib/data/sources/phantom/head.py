"""Drawing of one synthetic T1-weighted contrast-enhanced head, with a tumour of one of three types or without one.

Only + - * / and square roots of float64 are used. Every machine rounds them alike, so a phantom has the same bits
everywhere. Coordinates run from -1 to 1 over the image, with y downwards; the head fills about 0.8 of this range.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PLANES = {"axial": (0.68, 0.85), "coronal": (0.70, 0.78), "sagittal": (0.86, 0.78)}  # half axes of the head
_BRAIN = 0.86  # of the head's radius; bone and scalp lie outside
_TISSUE = 900.0


@dataclass(frozen=True)
class Anatomy:
    """Properties that all slices of one patient have in common.

    Attributes:
        kind: Type of the tumour, one of `KINDS`; None for a head without a tumour.
        direction: Unit vector from the head's centre towards the tumour.
        size: Size of the tumour within the range of its type, 0…1.
        contrast: Brightness of the tumour as a multiple of the brightness of normal tissue.
    """

    kind: str | None
    direction: tuple[float, float]
    size: float
    contrast: float


def anatomy(kind: str | None, rng: RandomState) -> Anatomy:
    """Draw the anatomy of a patient at random. The tumour's direction excludes the base of the head (the pituitary)."""
    c, s = _unit(rng.uniform(-0.35, 0.9))
    side = 1.0 if rng.random_sample() < 0.5 else -1.0
    return Anatomy(kind, (side * abs(c), -s), rng.random_sample(), rng.uniform(1.9, 2.5))


def draw(patient: Anatomy, rng: RandomState, size: int) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Draw one slice of a patient: int16 intensities up to some thousands [size, size], and the mask of the tumour."""
    plane = tuple(_PLANES)[rng.randint(len(_PLANES))]
    x, y = _grid(rng, size)
    a, b = _PLANES[plane]
    stretch = rng.uniform(0.93, 1.06)
    u, v = x / (a * stretch), y / (b * stretch)  # in units of the head: radius 1 is the skin
    radius = np.sqrt(u * u + v * v)
    brain = radius < _BRAIN
    texture = _noise(rng, 9, size)
    image = _head(radius, texture)
    _ventricles(image, plane, u, v)
    _base(image, plane, u, v, brain)
    _vessels(image, rng, u, v, brain)
    if patient.kind is None:
        mask = np.zeros(brain.shape, dtype=bool)
    else:
        mask = _TUMOURS[patient.kind](image, patient, rng, (u, v), brain)
    shading = 1 + (rng.uniform(-0.12, 0.12) * x + rng.uniform(-0.12, 0.12) * y)
    grain = 60.0 * (rng.random_sample((size, size)) + rng.random_sample((size, size)) - 1.0)
    image *= shading
    image += grain
    image *= rng.uniform(0.75, 1.35)
    return np.clip(np.floor(image + 0.5), 0, 32767).astype(np.int16), mask


def _unit(t: float) -> tuple[float, float]:
    """Cosine and sine of an angle, computed from t = tan(angle / 2) without trigonometric functions."""
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def _grid(rng: RandomState, size: int) -> tuple[Array, Array]:
    """Pixel centres with a small random shift, as a row and a column, so that most shapes are sums of two vectors."""
    axis = (2 * np.arange(size, dtype=np.float64) + 1) / size - 1
    return axis[None, :] - rng.uniform(-0.06, 0.06), axis[:, None] - rng.uniform(-0.06, 0.06)


def _noise(rng: RandomState, cells: int, size: int) -> Array:
    """Smooth noise in -1…1: random values on a coarse grid, interpolated smoothly."""
    knots = rng.uniform(-1, 1, (cells + 1, cells + 1))
    at = np.arange(size, dtype=np.float64) * cells / size
    low = at.astype(np.int64)
    t = at - low
    t = t * t * (3 - 2 * t)
    rows = knots[low] * (1 - t[:, None]) + knots[low + 1] * t[:, None]
    blended: Array = rows[:, low] * (1 - t) + rows[:, low + 1] * t
    return blended


def _head(radius: Array, texture: Array) -> Array:
    """Image of scalp (fat is bright), bone (dark) and brain, surrounded by air."""
    image = np.zeros(radius.shape)
    image[radius < 1.0] = 1700.0
    image[radius < 0.94] = 160.0
    image[radius < _BRAIN] = 480.0  # fluid around the cortex
    inside = radius < _BRAIN - 0.03
    image[inside] = _TISSUE * (1 + 0.13 * texture[inside])
    white = radius + 0.12 * texture < 0.66
    image[white] *= 1.15
    return image


def _ventricles(image: Array, plane: str, u: Array, v: Array) -> None:
    shapes = {
        "axial": ((-0.13, -0.05, 0.07, 0.30), (0.13, -0.05, 0.07, 0.30)),
        "coronal": ((-0.14, -0.12, 0.11, 0.09), (0.14, -0.12, 0.11, 0.09), (0.0, 0.08, 0.03, 0.14)),
        "sagittal": ((-0.05, -0.10, 0.30, 0.08), (0.20, 0.02, 0.09, 0.12)),
    }[plane]
    for cu, cv, ru, rv in shapes:
        image[_ellipse(u - cu, v - cv, ru, rv) < 1] = 330.0
    if plane != "sagittal":
        falx = (np.abs(u) < 0.012) & (np.abs(v) < 0.8) & (image > 400)
        image[falx] = 1250.0


def _base(image: Array, plane: str, u: Array, v: Array, brain: NDArray[np.bool_]) -> None:
    """Draw bone and air of the skull base; the pituitary lies above it."""
    if plane == "axial":
        return
    below = brain & (v > 0.62 - 0.18 * u * u)
    image[below] = 420.0
    image[_ellipse(u, v - 0.74, 0.16, 0.08) < 1] = 60.0


def _vessels(image: Array, rng: RandomState, u: Array, v: Array, brain: NDArray[np.bool_]) -> None:
    """Draw small dots as bright as a tumour, so that brightness alone does not identify a tumour."""
    for _ in range(rng.randint(2, 6)):
        cu, cv, r = rng.uniform(-0.6, 0.6), rng.uniform(-0.6, 0.5), rng.uniform(0.015, 0.035)
        image[brain & (_ellipse(u - cu, v - cv, r, r * rng.uniform(1, 2)) < 1)] = _TISSUE * rng.uniform(1.6, 2.3)


def _meningioma(
    image: Array, patient: Anatomy, rng: RandomState, uv: tuple[Array, Array], brain: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Draw a meningioma: round, bright and homogeneous, cut off at the edge of the brain (dura)."""
    r = (0.20 + 0.16 * patient.size) * rng.uniform(0.85, 1.1)
    reach = _BRAIN - 0.45 * r
    cu, cv = (reach * part for part in patient.direction)
    wobble = 0.12 * _noise(rng, 7, len(image))
    mask: NDArray[np.bool_] = brain & (_ellipse(uv[0] - cu, uv[1] - cv, r, r) + wobble < 1)
    image[mask] = _TISSUE * patient.contrast * rng.uniform(0.92, 1.08)
    return mask


def _glioma(
    image: Array, patient: Anatomy, rng: RandomState, uv: tuple[Array, Array], brain: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Draw a glioma: irregular, deep in a hemisphere, a bright ring around a dark core, in dark oedema."""
    r = (0.24 + 0.16 * patient.size) * rng.uniform(0.85, 1.1)
    cu, cv = (0.44 * part + rng.uniform(-0.05, 0.05) for part in patient.direction)
    edge = _ellipse(uv[0] - cu, uv[1] - cv, r, r * rng.uniform(0.75, 1.25)) + 0.45 * _noise(rng, 11, len(image))
    inner = brain & (edge < 2.2)
    image[inner] = image[inner] * 0.78
    mask: NDArray[np.bool_] = brain & (edge < 1)
    image[mask] = _TISSUE * patient.contrast * 0.9 * rng.uniform(0.92, 1.08)
    core = mask & (edge + 0.15 * _noise(rng, 17, len(image)) < 0.45)
    image[core] = _TISSUE * rng.uniform(0.40, 0.55)
    return mask


def _pituitary(
    image: Array, patient: Anatomy, rng: RandomState, uv: tuple[Array, Array], brain: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Draw a pituitary tumour: a small bright oval in the midline, above the skull base."""
    r = (0.12 + 0.10 * patient.size) * rng.uniform(0.85, 1.1)
    cu, cv = rng.uniform(-0.04, 0.04), rng.uniform(0.38, 0.46)
    wobble = 0.15 * _noise(rng, 15, len(image))
    mask: NDArray[np.bool_] = brain & (_ellipse(uv[0] - cu, uv[1] - cv, r, r * rng.uniform(0.8, 1.2)) + wobble < 1)
    image[mask] = _TISSUE * patient.contrast * 0.88 * rng.uniform(0.92, 1.08)
    return mask


_TUMOURS = {"meningioma": _meningioma, "glioma": _glioma, "pituitary": _pituitary}
KINDS = tuple(_TUMOURS)
"""Types of tumours that can be drawn."""


def _ellipse(u: Array, v: Array, ru: float, rv: float) -> Array:
    """Value that is below 1 inside the ellipse with these half axes."""
    return (u / ru) * (u / ru) + (v / rv) * (v / rv)
