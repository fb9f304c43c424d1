"""IEEE arithmetic in PyTorch: what is called fp32 is computed in fp32."""

import contextlib
from collections.abc import Iterator

from btlib import extras

with extras.named():
    import torch

_FP32_SWITCHES = (
    (torch.backends.cuda, ("matmul",)),
    (torch.backends.cudnn, ("conv", "rnn")),
    (torch.backends.mkldnn, ("matmul", "conv", "rnn")),
)


@contextlib.contextmanager
def ieee_fp32() -> Iterator[None]:
    """Products and convolutions of fp32 are computed in fp32, whatever the user or PyTorch has set.

    By default cuDNN rounds the factors of convolutions to TF32, with 10 bits of mantissa instead of 23, on every NVIDIA
    GPU from Ampere. https://pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices
    """
    switches = [getattr(backend, name) for backend, names in _FP32_SWITCHES for name in names]
    before = [switch.fp32_precision for switch in switches]
    convolutions, products = _older_switches()
    try:
        _set_older_switches(None if convolutions is None else False, products and "highest")
        for switch in switches:
            switch.fp32_precision = "ieee"
        yield
    finally:
        _set_older_switches(convolutions, products)
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


def _older_switches() -> tuple[bool | None, str | None]:
    """The switches from before torch 2.9, which other libraries read: PyTorch refuses that where they contradict."""
    convolutions = products = None
    with contextlib.suppress(RuntimeError):
        convolutions = torch.backends.cudnn.allow_tf32
    with contextlib.suppress(RuntimeError):
        products = torch.get_float32_matmul_precision()
    return convolutions, products


def _set_older_switches(convolutions: bool | None, products: str | None) -> None:
    if convolutions is not None:
        torch.backends.cudnn.allow_tf32 = convolutions
    if products is not None:
        torch.set_float32_matmul_precision(products)
