"""Resizing of predicted probabilities to the size at which they are scored."""

import numpy as np
from numpy.typing import NDArray


def resized(mask_prob: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.floating]:
    """Resize probabilities (bilinear) to [n, k, h, w]; unchanged if they have this shape.

    Args:
        mask_prob: Probabilities [n, k, height, width] of any size.
        shape: The shape (n, k, h, w).
    """
    if mask_prob.shape == shape:
        return mask_prob
    import cv2

    size = (shape[3], shape[2])
    planes = mask_prob.reshape(-1, *mask_prob.shape[2:])
    found = [cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) for plane in planes]
    return np.stack(found).reshape(shape)
