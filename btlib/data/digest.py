"""Digests of a sample's content, in two parts: the truth, and the input of a model.

Results on two renderings of the same samples (for example 16 and 8 bits) can be compared, because the truth is the
same. Neither part includes patient codes.
"""

from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

Digests = NDArray[np.uint64]


def image_digest(image: NDArray[Any]) -> int:
    """Return 64 bits of the SHA-256 of an image's dtype, shape and values, independent of the byte order.

    An image [1, h, w] with one channel has the same digest as [h, w].
    """
    image = _plane(image)
    plain = np.ascontiguousarray(image.astype(image.dtype.newbyteorder("<"), copy=False))
    return _digest(plain, str(plain.dtype))


def mask_digest(mask: NDArray[np.bool_]) -> int:
    """Return 64 bits of the SHA-256 of a mask's shape and pixels; [1, h, w] has the same digest as [h, w]."""
    mask = _plane(mask)
    return _digest(np.packbits(mask), str(mask.shape))


def combined(*columns: NDArray[Any]) -> str:
    """Return one digest (16 hex digits) of columns of integers or texts with one value per sample."""
    digest = sha256()
    for column in columns:
        digest.update("\n".join(map(str, column.tolist())).encode() + b"\x00")
    return digest.hexdigest()[:16]


def _plane(values: NDArray[Any]) -> NDArray[Any]:
    return values[0] if values.ndim == 3 and len(values) == 1 else values


def _digest(values: NDArray[Any], kind: str) -> int:
    digest = sha256(f"{kind} {values.shape}".encode())
    digest.update(values.data)
    return int.from_bytes(digest.digest()[:8], "big")
