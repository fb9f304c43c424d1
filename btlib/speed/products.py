"""Dense products with known FLOPs, in torch and OpenVINO."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras

with extras.named():
    import torch

    from btlib.speed.ieee import ieee_fp32

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_HINTS = {
    "fp32": "f32",
    "bf16": "bf16",
    "int8": "f32",
}  # the operations of an int8 program that are not quantised run in fp32


@dataclass(frozen=True)
class Product:
    """One dense product.

    Attributes:
        name: Library, operation and size.
        flop: Number of operations per run; a multiply-add counts as 2.
        run: Function that computes the product and waits until it is done.
    """

    name: str
    flop: int
    run: Callable[[], object]


def products(device: str, precision: str) -> list[Product]:
    """Return all products that this machine supports: small ones on the CPU, large ones on an accelerator."""
    found = [*_torch(torch.device(device), _DTYPES[precision])] if precision in _DTYPES else []
    if device == "cpu" and precision in _HINTS and importlib.util.find_spec("openvino"):
        found += _openvino(precision)
    return found


def _torch(device: torch.device, dtype: torch.dtype) -> Iterator[Product]:
    sizes = [(512,) * 3, (1024,) * 3] if device.type == "cpu" else [(4096,) * 3, (8192,) * 3]
    convolutions = [(4, 512, 32), (4, 256, 32)] if device.type == "cpu" else [(64, 2048, 32)]
    for m, k, n in sizes:
        a, b = (torch.randn(*shape, dtype=dtype, device=device) for shape in ((m, k), (k, n)))
        yield _of_torch(f"torch matmul {m}x{k}x{n}", 2 * m * k * n, torch.matmul, a, b)
    for batch, channels, side in convolutions:
        x = torch.randn(batch, channels, side, side, dtype=dtype, device=device)
        w = torch.randn(channels, channels, 1, 1, dtype=dtype, device=device)
        x, w = (part.to(memory_format=torch.channels_last) for part in (x, w))
        flop = 2 * batch * side**2 * channels**2
        yield _of_torch(f"torch conv 1x1 {batch}x{channels}x{side}x{side}", flop, torch.nn.functional.conv2d, x, w)
    if device.type == "cpu":
        yield from _packed(dtype)


def _packed(dtype: torch.dtype) -> Iterator[Product]:
    """Yield products with weights in oneDNN's layout, as torch.compile produces them when it freezes weights.

    The operators are not a public interface of torch. If a version does not have them, no product is returned.
    """
    for m, k, n in ((1024, 512, 512), (2048, 512, 512), (2048, 256, 256)):
        x, w = torch.randn(m, k, dtype=dtype), torch.randn(n, k, dtype=dtype)
        try:
            laid_out = torch.ops.mkldnn._reorder_linear_weight(w, m)
            linear = torch.ops.mkldnn._linear_pointwise
            linear(x, laid_out, None, "none", [], "")
        except (AttributeError, RuntimeError):
            return
        yield _of_torch(f"torch packed {m}x{k}x{n}", 2 * m * k * n, linear, x, laid_out, None, "none", [], "")


def _of_torch(name: str, flop: int, operation: Callable[..., Any], *inputs: Any) -> Product:
    device = inputs[0].device

    def run() -> None:
        with torch.inference_mode(), ieee_fp32():
            operation(*inputs)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)

    return Product(name, flop, run)


def _openvino(precision: str) -> Iterator[Product]:
    """Yield chains of four layers. Input and output are always fp32, and a chain reduces the share of conversions."""
    for m, k in ((512, 512), (1024, 512), (2048, 512)):
        yield _layers(f"openvino 4 matmul {m}x{k}x{k}", (m, k), precision)
    yield _layers("openvino 4 conv 1x1 1x512x32x32", (1, 512, 32, 32), precision)


def _layers(name: str, shape: tuple[int, ...], precision: str, depth: int = 4) -> Product:
    """Return a chain of equal layers with ReLU on [n, c] or [n, c, h, w], reduced to one number at the end."""
    ov = extras.openvino()
    ops, width, rng = ov.opset13, shape[1], np.random.default_rng(0)
    given = ops.parameter(list(shape), np.float32)
    value = given
    for _ in range(depth):
        weights = (rng.standard_normal((width, width)) / width**0.5).astype(np.float32)
        kernel = ops.constant(weights.reshape(width, width, *[1] * (len(shape) - 2)))
        if precision == "int8":
            largest = float(np.abs(weights).max())
            value, kernel = _rounded(ops, value, 0.0, 2.55, 256), _rounded(ops, kernel, -largest, largest, 255)
        flat = len(shape) == 2
        made = ops.matmul(value, kernel, False, True) if flat else ops.convolution(value, kernel, *_PLAIN)
        value = ops.relu(made)
    program = ov.Model([ops.reduce_max(value, np.arange(len(shape)), False)], [given])
    compiled = extras.openvino_core().compile_model(program, "CPU", {"INFERENCE_PRECISION_HINT": _HINTS[precision]})
    request = compiled.create_infer_request()
    images: NDArray[np.float32] = rng.random(shape, dtype=np.float32)
    request.set_input_tensor(ov.Tensor(images))
    return Product(name, 2 * depth * images.size * width, request.infer)


_PLAIN = ([1, 1], [0, 0], [0, 0], [1, 1])  # strides, padding before and after, dilations


def _rounded(ops: Any, value: Any, low: float, high: float, levels: int) -> Any:
    """Mark a value for computation in int8, as NNCF does."""
    ends = [ops.constant(np.float32(end)) for end in (low, high)]
    return ops.fake_quantize(value, *ends, *ends, levels)
