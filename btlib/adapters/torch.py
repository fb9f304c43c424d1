"""PyTorch behind the predictor protocol, and the choice of device and precision."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from btlib.errors import OptionError
from btlib.models.network import ModelOutput
from btlib.registry import unknown_name
from btlib.types import Predictions

Precision = Literal["fp32", "bf16"]

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "fp32", "bf16")


def resolve_device(wanted: str = "auto") -> torch.device:
    """The device to work on: CUDA before MPS before the CPU when left to choose.

    Raises:
        UnknownNameError: No such device.
        OptionError: This machine does not have it.
    """
    if wanted not in DEVICES:
        raise unknown_name("device", wanted, DEVICES)
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, found in here.items() if found))
    if not here[wanted]:
        found = ", ".join(name for name, is_here in here.items() if is_here)
        raise OptionError(
            f"this machine has no {wanted} device that torch {torch.__version__} can use",
            where="--bt-device",
            mend=f"choose one of: auto, {found}",
        )
    return torch.device(wanted)


def resolve_precision(wanted: str, device: torch.device) -> Precision:
    """bf16 where the hardware multiplies bf16 (CUDA from Ampere, CPUs with AMX or AVX512-BF16), else fp32.

    Raises:
        UnknownNameError: No such precision.
    """
    if wanted not in PRECISIONS:
        raise unknown_name("precision", wanted, PRECISIONS)
    if wanted == "auto":
        return "bf16" if _fast_bf16(device) else "fp32"
    return "bf16" if wanted == "bf16" else "fp32"


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was given; without this a clock measures the queueing alone."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class TorchPredictor:
    """A PyTorch model as a predictor.

    Args:
        model: float32 [n, 1, h, w] → `ModelOutput`, with logits for masks, classes or both.
        device: Where to run it; the model is moved there.
        precision: "fp32", or "bf16" for autocast.
    """

    def __init__(
        self, model: Callable[[torch.Tensor], ModelOutput] | torch.nn.Module, device: torch.device, precision: Precision
    ) -> None:
        self.model = model
        self.device = device
        self.precision = precision
        if isinstance(model, torch.nn.Module):
            model.to(device).to(memory_format=torch.channels_last)

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predictions for float32 [n, h, w]; returns when the device is done."""
        if isinstance(self.model, torch.nn.Module):
            self.model.eval()  # every time: a training step between two calls must not leave dropout on
        batch = torch.from_numpy(images).to(self.device)[:, None]
        with torch.inference_mode(), autocast(self.device, self.precision):
            output = self.model(batch)
        mask, classes = output.mask_prob, output.class_logits
        return Predictions(
            mask_prob=None if mask is None else _numpy(mask[:, 0]),
            class_prob=None if classes is None else _numpy(classes.float().softmax(dim=1)),
        )


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context that makes `precision` true on `device`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def _numpy(values: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.float().cpu().numpy()
    return array
