"""IEEE arithmetic in PyTorch: what is called fp32 is computed in fp32."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping

from btlib import extras

with extras.named():
    import torch

_BACKENDS = ("cuda", "mkldnn")
_OPERATIONS = ("matmul", "conv", "rnn")


@contextlib.contextmanager
def ieee_fp32() -> Iterator[None]:
    """Products and convolutions of fp32 are computed in fp32, whatever the user or PyTorch has set.

    By default cuDNN rounds the factors of convolutions to TF32, with 10 bits of mantissa instead of 23, on every NVIDIA
    GPU from Ampere. https://pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices

    Afterwards all is as it was. An operation takes over what is set for its backend, and a backend what is set for all,
    unless it has a value of its own; so each is written only where that is needed, lest a setting is pinned for good.
    """
    read, write = torch._C._get_fp32_precision_getter, torch._C._set_fp32_precision_setter
    every = read("generic", "all")
    backends = {backend: read(backend, "all") for backend in _BACKENDS}
    operations = {place: read(*place) for place in itertools.product(_BACKENDS, _OPERATIONS)}
    products = _products()

    def write_operations(values: Mapping[tuple[str, str], str]) -> None:
        for place, value in values.items():
            if read(*place) != value:
                write(*place, value)

    try:
        if products not in (None, "highest"):
            torch.set_float32_matmul_precision("highest")
        for backend in backends:
            write(backend, "all", "ieee")
        write_operations(dict.fromkeys(operations, "ieee"))
        yield
    finally:
        if products not in (None, "highest"):
            torch.set_float32_matmul_precision(products)
        for backend, value in backends.items():
            write(backend, "all", "none" if value == every else value)
        write_operations(operations)


def _products() -> str | None:
    """The switch for products from before torch 2.9; None where newer ones contradict it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None
