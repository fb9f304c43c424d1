"""Which slice is this? Answered by its decoded content."""

from hashlib import sha256

import numpy as np

from btlib import fingerprint
from btlib.types import Slice


def digest_of(s: Slice) -> str:
    """SHA-256 of a slice's values, 64 hex digits: packing, times and other metadata of the file do not count."""
    image = np.ascontiguousarray(s.image.astype(s.image.dtype.newbyteorder("<"), copy=False))
    head = fingerprint.of(s.number, s.label, s.patient, s.origin, str(image.dtype), list(image.shape))
    digest = sha256(head.encode())
    digest.update(image.data)
    digest.update(np.packbits(s.mask).data)
    return digest.hexdigest()
