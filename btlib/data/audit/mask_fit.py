"""How well a mask fits an image: features of the image inside, outside and along the border of the mask."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from btlib.data.audit.thumbnail import Floats

FEATURES = ("contrast", "separation", "direction", "step", "uniformity", "edge", "object", "intensity")
"""Names of the features of `fit`."""

_FOUND = 0.06  # intensity above which a pixel belongs to the object


@dataclass(frozen=True, eq=False)
class Picture:
    """Image with its gradients, float32 [h, w], intensities 0…1."""

    plane: Floats
    across: Floats
    down: Floats
    strength: Floats
    object: NDArray[np.bool_]
    mean_strength: float

    @classmethod
    def of(cls, plane: Floats) -> Self:
        """Compute the gradients of an image."""
        import cv2

        across, down = (np.asarray(cv2.Sobel(plane, cv2.CV_32F, 1 - k, k), np.float32) for k in range(2))
        strength = np.hypot(across, down)
        found = np.asarray(cv2.GaussianBlur(plane, (0, 0), 1.0)) > _FOUND
        mean = float(strength[found].mean()) if found.any() else 0.0
        return cls(plane, across, down, strength, found, mean)


@dataclass(frozen=True, eq=False)
class MaskShape:
    """Mask with its inner part, the ring around it and the direction of its border, [h, w]."""

    mask: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    ring: NDArray[np.bool_]
    across: Floats
    down: Floats
    length: Floats
    border: NDArray[np.bool_]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Self:
        """Compute the parts of a mask [h, w] that is not empty."""
        import cv2

        kernel, plain = np.ones((3, 3), np.uint8), mask.astype(np.uint8)
        steps = int(np.clip(np.sqrt(mask.sum() / np.pi) * 0.35, 2, 12))
        near, far = (np.asarray(cv2.dilate(plain, kernel, iterations=k)) > 0 for k in (1, steps + 1))
        inner = np.asarray(cv2.erode(plain, kernel)) > 0
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
        across, down = (np.asarray(cv2.Sobel(soft, cv2.CV_32F, 1 - k, k), np.float32) for k in range(2))
        length = np.hypot(across, down)
        border = length > 0.3 * max(float(length.max()), 1e-6)
        return cls(mask, inner if inner.sum() >= 4 else mask, far & ~near, across, down, length, border)


def fit(picture: Picture, shape: MaskShape) -> tuple[float, ...]:
    """Return the features named in `FEATURES`; none of them depends on whether the structure is bright or dark."""
    inside = picture.plane[shape.inner]
    outside = picture.plane[shape.ring] if shape.ring.any() else inside
    spread = float(np.sqrt((inside.var() + outside.var()) / 2))
    dot = (picture.across * shape.across + picture.down * shape.down)[shape.border]
    strength, length = picture.strength[shape.border], shape.length[shape.border]
    if not len(dot):  # a full mask has no border
        return (0.0,) * len(FEATURES)
    ranks = np.searchsorted(np.sort(outside), inside) / len(outside)
    return (
        float(abs(inside.mean() - outside.mean())) / (spread + 0.03),
        float(abs(ranks.mean() - 0.5)),
        float(abs((dot / (strength * length + 1e-6)).mean())),
        float(abs(dot.sum()) / (length.sum() + 1e-6)),
        float(np.log((inside.std() + 0.01) / (outside.std() + 0.03))),
        float(np.log((strength.mean() + 0.01) / (picture.mean_strength + 0.01))),
        float(picture.object[shape.mask].mean()),
        float(inside.mean()),
    )
