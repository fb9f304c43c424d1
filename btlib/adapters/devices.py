"""Devices, precisions, random generators and kernels of PyTorch."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Literal

from btlib import extras
from btlib.adapters.device_choice import check_known
from btlib.errors import OptionError
from btlib.registry import unknown_name

with extras.named():
    import torch

    from btlib.speed.ieee import ieee_fp32

Precision = Literal["fp32", "bf16"]

PRECISIONS = ("auto", "fp32", "bf16")


def resolve_device(wanted: str = "auto") -> torch.device:
    """Return the PyTorch device for training and prediction. A case calls this function with `work.device`.

    The function moves nothing to the device. The case moves its model (`model.to(device)`) and its images.

    Args:
        wanted: "cuda", "mps", "cpu", or "auto" for the first of these that is available.

    Returns:
        The device, without an index. With several GPUs this means PyTorch's current GPU.

    Raises:
        UnknownNameError: No device has this name.
        OptionError: This machine does not have the device. The hint lists the available devices.
    """
    check_known(wanted)
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, found in here.items() if found))
    if not here[wanted]:
        found = ", ".join(name for name, is_here in here.items() if is_here)
        raise OptionError(
            f"this machine has no {wanted} device that torch {torch.__version__} can use",
            where="device",
            hint=f"choose one of: auto, {found}",
        )
    return torch.device(wanted)


def resolve_precision(wanted: str, device: torch.device) -> Precision:
    """Return the precision. "auto" gives bf16 if the hardware multiplies in bf16, else fp32.

    Such hardware is CUDA from Ampere on, and CPUs with AMX or AVX512-BF16.

    Raises:
        UnknownNameError: The precision does not exist.
    """
    if wanted not in PRECISIONS:
        raise unknown_name("precision", wanted, PRECISIONS)
    if wanted == "auto":
        return "bf16" if _fast_bf16(device) else "fp32"
    return "bf16" if wanted == "bf16" else "fp32"


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()  # torch uses oneDNN for bf16
    if device.type != "cpu" or not any(name in limit for name in ("ALL", "DEFAULT", "AMX", "BF16", "FP16")):
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all its work. Without this, a timing covers only the queueing of the work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextlib.contextmanager
def forked_rng(device: torch.device) -> Iterator[None]:
    """Context that restores PyTorch's random generators of the CPU and of the device, and uses no other device."""
    others: dict[str, Any] = {"devices": [0], "device_type": "mps"} if device.type == "mps" else {"devices": []}
    with torch.random.fork_rng(**({"devices": [device]} if device.type == "cuda" else others)):
        yield


def seed_rng(seed: int, device: torch.device) -> None:
    """Seed PyTorch's random generators of the CPU and of the device, but no others."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextlib.contextmanager
def fastest_kernels(device: torch.device) -> Iterator[None]:
    """Context for training on CUDA: cuDNN tries its kernels on the first batch of each shape and uses the fastest.

    It is not for prediction: the fastest kernels may differ between runs, and with them the last digits. It has no
    effect if bit-identical numbers are requested (`btlib.speed.determinism`).
    """
    cudnn = torch.backends.cudnn
    search = device.type == "cuda" and not torch.are_deterministic_algorithms_enabled()
    with _cudnn(benchmark=cudnn.benchmark or search, deterministic=cudnn.deterministic):
        yield


def steady_kernels() -> contextlib.AbstractContextManager[None]:
    """Context for prediction: cuDNN does not search for kernels, and does not use kernels found during training.

    PyTorch stores the kernels that a search found, and uses them even if no search is requested. It stores
    deterministic kernels separately, so requesting deterministic kernels avoids the stored ones.
    """
    return _cudnn(benchmark=False, deterministic=True)


@contextlib.contextmanager
def _cudnn(*, benchmark: bool, deterministic: bool) -> Iterator[None]:
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    try:
        cudnn.benchmark, cudnn.deterministic = benchmark, deterministic
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


@contextlib.contextmanager
def autocast(device: torch.device, precision: Precision) -> Iterator[None]:
    """Context that computes in `precision` on `device`: bf16 with autocast, fp32 with `ieee_fp32`."""
    with computing_in(precision), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield


def computing_in(precision: Precision) -> contextlib.AbstractContextManager[None]:
    """Return the context `ieee_fp32` for fp32, and a context without effect for bf16."""
    return ieee_fp32() if precision == "fp32" else contextlib.nullcontext()
