"""Identity of images, masks and columns: what counts, what does not, and that stored identities stay valid."""

from hashlib import sha256

import numpy as np

from btlib.data.digest import combined, image_digest, mask_digest

IMAGE = np.arange(-8, 8, dtype=np.int16).reshape(2, 8)
MASK = np.array([[1, 0, 1, 1, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0, 1, 0]], bool)


def first_eight_bytes(text: str, raw: bytes) -> int:
    return int.from_bytes(sha256(text.encode() + raw).digest()[:8], "big")


def test_stored_identities_stay_valid():
    """They are in every cache, record and baseline: SHA-256 of kind, shape and bytes, little-endian."""
    assert image_digest(IMAGE) == first_eight_bytes("int16 (2, 8)", IMAGE.astype("<i2").tobytes())
    assert mask_digest(MASK) == first_eight_bytes("(2, 8) (2,)", np.packbits(MASK).tobytes())
    text = b"3\n12\x00P1\nNone\x00"
    assert combined(np.array([3, 12]), np.array(["P1", None], dtype=object)) == sha256(text).hexdigest()[:16]


def test_an_image_is_its_kind_shape_and_values():
    others = (IMAGE.astype(np.int32), IMAGE.view(np.uint16), IMAGE.reshape(4, 4), IMAGE.reshape(8, 2), IMAGE[::-1])
    assert len({image_digest(IMAGE), *map(image_digest, others)}) == 6


def test_neither_byte_order_nor_layout_counts():
    for same in (IMAGE.astype(">i2"), np.asfortranarray(IMAGE), np.repeat(IMAGE, 2, axis=1)[:, ::2]):
        assert image_digest(same) == image_digest(IMAGE)
    assert mask_digest(np.asfortranarray(MASK)) == mask_digest(MASK)


def test_a_mask_is_its_shape_and_pixels():
    """Also where its packed bytes are the same."""
    row = np.array([[True, False, True]])
    wide = np.array([[True, False, True, False, False]])
    others = (MASK.reshape(4, 4), MASK.reshape(1, 16), MASK.T, ~MASK, row, wide)
    assert len({mask_digest(MASK), *map(mask_digest, others)}) == 7


def test_columns_and_their_rows_are_kept_apart():
    def of(*columns: list[int]) -> str:
        return combined(*map(np.array, columns))

    found = [
        of([1, 23]),
        of([12, 3]),
        of([123]),
        of([1], [23]),
        of([23], [1]),
        of([23, 1]),
        of([1, 23], [4]),
        of([1], [23, 4]),
    ]
    assert len(set(found)) == len(found)
