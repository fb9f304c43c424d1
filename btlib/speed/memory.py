"""Memory of this process and of its accelerator: the largest for a while, what to give back, and whether it ran out."""

import ctypes
import gc
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5"
_RAN_OUT = re.compile(
    r"out ?of ?memory|RESOURCE_EXHAUSTED|\bOOM\b|ALLOC(ATION)?_FAILED|bad_alloc|bad allocation|not enough memory"
    r"|(can't|cannot|could not|unable to|failed to) allocate\b",
    re.IGNORECASE,
)


def reset_peak(device: str = "cpu") -> None:
    """Start to measure, on a device such as "cuda:1" too: the peak so far is forgotten."""
    cuda = _cuda(device)
    if cuda is not None:
        cuda.reset_peak_memory_stats(device)
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:  # another system, or not allowed here: `peak_mib` then says None or the peak since the start
        return


def peak_mib() -> float | None:
    """Largest resident memory since `reset_peak`, in MiB, all of the process; None where the system does not tell."""
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return None if found is None else int(found) / 1024


def device_peak_mib(device: str) -> float | None:
    """Largest memory that PyTorch reserved on a GPU since `reset_peak`, in MiB; None where it reserved none."""
    cuda = _cuda(device)
    reserved = 0 if cuda is None else int(cuda.max_memory_reserved(device))
    return reserved / 2**20 if reserved else None


def release(error: BaseException | None = None) -> None:
    """Free what nobody uses, and return it: caches of the accelerator to its driver, freed memory to the system.

    Call it when the last reference to a model is gone. What lies in reference cycles is found.

    Args:
        error: One that was caught: the local variables of the calls that it ended are let go.
    """
    for one in _chain(error):
        traceback.clear_frames(one.__traceback__)
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def ran_out(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that the host or an accelerator has no memory left.

    The frameworks have no class in common: PyTorch raises OutOfMemoryError, AcceleratorError, or a RuntimeError of
    cuBLAS or cuDNN, JAX and TensorFlow raise RESOURCE_EXHAUSTED, the others what their allocator writes.
    """
    return any(
        isinstance(one, MemoryError) or _RAN_OUT.search(f"{type(one).__name__}: {one}")
        for one in _chain(error, implicit=False)
    )


def _chain(error: BaseException | None, *, implicit: bool = True) -> Iterator[BaseException]:
    """An error, that which it was raised from, and so on; where `implicit`, that during which it was raised too."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (error.__context__ if implicit else None)


def _cuda(device: str) -> Any:
    """PyTorch's module for CUDA, where the device is of that kind and PyTorch uses it."""
    torch = sys.modules.get("torch")
    return torch.cuda if device.startswith("cuda") and torch is not None and torch.cuda.is_initialized() else None
