"""Damage to bytes, each kind by a seed: what disks, cables, editors and killed processes do."""

from collections.abc import Callable, Sequence

import numpy as np

Rng = np.random.Generator
Damage = Callable[[bytes, Rng], bytes]


def _place(data: bytes, rng: Rng) -> int:
    """A byte; headers and ends are hit as often as all the rest."""
    near = int(rng.integers(3))
    n = max(len(data), 1)
    if near == 0:
        return int(rng.integers(min(n, 256)))
    return n - 1 - int(rng.integers(min(n, 256))) if near == 1 else int(rng.integers(n))


def _span(data: bytes, rng: Rng) -> tuple[int, int]:
    start = _place(data, rng)
    return start, min(len(data), start + 1 + int(rng.geometric(1 / 16)))


def flip_a_bit(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def set_a_byte(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[_place(data, rng)] = int(rng.choice([0, 1, 9, 10, 34, 48, 57, 127, 128, 255, int(rng.integers(256))]))
    return bytes(changed)


def cut(data: bytes, rng: Rng) -> bytes:
    return data[: _place(data, rng)]


def cut_the_beginning(data: bytes, rng: Rng) -> bytes:
    return data[_place(data, rng) :]


def remove(data: bytes, rng: Rng) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def repeat(data: bytes, rng: Rng) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def insert(data: bytes, rng: Rng) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.bytes(1 + int(rng.integers(16))) + data[at:]


def zero(data: bytes, rng: Rng) -> bytes:
    """As a file system does that lost a block."""
    start = _place(data, rng)
    size = int(rng.choice([1, 8, 512, 4096]))
    return data[:start] + bytes(min(size, len(data) - start)) + data[start + size :]


def swap(data: bytes, rng: Rng) -> bytes:
    a, b = sorted(_span(data, rng) for _ in range(2))
    return data[: a[0]] + data[b[0] : b[1]] + data[a[1] : b[0]] + data[a[0] : a[1]] + data[b[1] :]


def change_a_number(data: bytes, rng: Rng) -> bytes:
    digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not digits:
        return flip_a_bit(data, rng)
    at = digits[int(rng.integers(len(digits)))]
    return data[:at] + bytes([48 + int(rng.integers(10))]) + data[at + 1 :]


def noise(data: bytes, rng: Rng) -> bytes:
    return rng.bytes(int(rng.integers(0, 2 * len(data) + 2)))


KINDS: Sequence[Damage] = (
    *(flip_a_bit, set_a_byte, cut, cut_the_beginning, remove, repeat, insert, zero, swap, change_a_number, noise),
)


def damaged(data: bytes, seed: int) -> tuple[str, bytes]:
    """The kind of damage, and the bytes; seeds go through the kinds in turn."""
    rng = np.random.default_rng([seed, 37])
    kind = KINDS[seed % len(KINDS)]
    return kind.__name__, kind(data, rng)
