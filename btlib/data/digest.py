"""Identity of what is in a sample, in two parts: the truth, and the input that a model sees.

Numbers of two renderings of the same samples (16 and 8 bits, say) can be compared, for the truth is the same. Patient
codes are in neither part.
"""

from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

Digests = NDArray[np.uint64]


def image_digest(image: NDArray[Any]) -> int:
    """64 bits of the SHA-256 of an image's dtype, shape and values; how its file packs them does not count.

    An image [1, h, w] of one channel is the same as [h, w].
    """
    image = _plane(image)
    plain = np.ascontiguousarray(image.astype(image.dtype.newbyteorder("<"), copy=False))
    return _digest(plain, str(plain.dtype))


def mask_digest(mask: NDArray[np.bool_]) -> int:
    """64 bits of the SHA-256 of a mask's shape and pixels; [1, h, w] of one structure is the same as [h, w]."""
    mask = _plane(mask)
    return _digest(np.packbits(mask), str(mask.shape))


def combined(*columns: NDArray[Any]) -> str:
    """16 hex digits that stand for columns of whole numbers or text, one value a sample."""
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
