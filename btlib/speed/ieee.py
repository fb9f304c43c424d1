"""IEEE arithmetic in PyTorch: fp32 operations are really computed in fp32."""

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
    """Compute fp32 products and convolutions in fp32, whatever the user or PyTorch has set.

    By default cuDNN rounds the factors of convolutions to TF32, with 10 bits of mantissa instead of 23, on every NVIDIA
    GPU since Ampere. https://pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices

    All settings are restored afterwards. An operation without its own value inherits that of its backend, and a backend
    inherits the generic value. Values are therefore written only if needed, so that inherited settings stay inherited.
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
    """Return the matrix product setting used before torch 2.9; None if it conflicts with newer settings."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None
