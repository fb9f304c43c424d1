"""Where PyTorch works, and how precisely."""

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
    """The PyTorch device to train and predict on; a case calls it with `work.device`.

    It looks at what the machine has and moves nothing there: the case moves its model (`model.to(device)`) and images.

    Args:
        wanted: "cuda", "mps", "cpu", or "auto" for the first of these that is there.

    Returns:
        The device, without an index: where there are several GPUs, PyTorch's current one.

    Raises:
        UnknownNameError: There is no such device.
        OptionError: This machine does not have it; those that it has are named.
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
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()  # oneDNN is what computes in bf16 for torch
    if device.type != "cpu" or not any(name in limit for name in ("ALL", "DEFAULT", "AMX", "BF16", "FP16")):
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was given; without this a clock measures the queueing alone."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextlib.contextmanager
def forked_rng(device: torch.device) -> Iterator[None]:
    """PyTorch's generators of the CPU and of the device are afterwards what they were; no other device is woken."""
    others: dict[str, Any] = {"devices": [0], "device_type": "mps"} if device.type == "mps" else {"devices": []}
    with torch.random.fork_rng(**({"devices": [device]} if device.type == "cuda" else others)):
        yield


def seed_rng(seed: int, device: torch.device) -> None:
    """Seed PyTorch's generators of the CPU and of the device, and no others."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextlib.contextmanager
def fastest_kernels(device: torch.device) -> Iterator[None]:
    """On CUDA, cuDNN tries its kernels on the first batch of each shape and keeps the fastest: for training, where most
    batches are of one shape. Not for predicting: which kernels win may differ from run to run, and with them the last
    digits; and not where the same numbers to the bit are asked for (`btlib.speed.determinism`).
    """
    cudnn = torch.backends.cudnn
    search = device.type == "cuda" and not torch.are_deterministic_algorithms_enabled()
    with _cudnn(benchmark=cudnn.benchmark or search, deterministic=cudnn.deterministic):
        yield


def steady_kernels() -> contextlib.AbstractContextManager[None]:
    """For predicting: cuDNN searches for no kernels, and takes none that a training found.

    PyTorch keeps what a search found, and looks it up whether a search is asked for or not. Deterministic kernels are
    kept apart from others.
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
    """The context that makes `precision` true on `device`: bf16 by autocast, fp32 by `ieee_fp32`."""
    with computing_in(precision), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield


def computing_in(precision: Precision) -> contextlib.AbstractContextManager[None]:
    """The context in which what computes in fp32 does so by `ieee_fp32`, where that is the precision."""
    return ieee_fp32() if precision == "fp32" else contextlib.nullcontext()
