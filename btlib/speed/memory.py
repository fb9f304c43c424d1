"""Memory of this process and its accelerator: peak use, release of unused memory, and out-of-memory errors."""

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
    """Reset the memory peak of this process and of a device such as "cuda:1"."""
    cuda = _cuda(device)
    if cuda is not None:
        cuda.reset_peak_memory_stats(device)
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:  # not Linux, or not permitted: `peak_mib` then returns None or the peak since the start
        return


def peak_mib() -> float | None:
    """Peak resident memory of the process since `reset_peak`, in MiB; None if the system does not report it."""
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return None if found is None else int(found) / 1024


def device_peak_mib(device: str) -> float | None:
    """Peak memory that PyTorch reserved on a GPU since `reset_peak`, in MiB; None if it reserved none."""
    cuda = _cuda(device)
    reserved = 0 if cuda is None else int(cuda.max_memory_reserved(device))
    return reserved / 2**20 if reserved else None


def release(error: BaseException | None = None) -> None:
    """Release unused memory: caches of the accelerator to its driver, freed memory to the system.

    Call it after the last reference to a model is removed. Objects in reference cycles are freed too.

    Args:
        error: Caught error. The local variables in its traceback are released.
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
    """Whether an error, or an error that caused it, reports that the host or an accelerator is out of memory.

    The frameworks have no common class of errors. PyTorch raises OutOfMemoryError, AcceleratorError, or a RuntimeError
    of cuBLAS or cuDNN; JAX and TensorFlow raise RESOURCE_EXHAUSTED; others raise the message of their allocator.
    """
    return any(
        isinstance(one, MemoryError) or _RAN_OUT.search(f"{type(one).__name__}: {one}")
        for one in _chain(error, implicit=False)
    )


def _chain(error: BaseException | None, *, implicit: bool = True) -> Iterator[BaseException]:
    """Yield an error and its causes; if `implicit`, also errors during whose handling another one was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (error.__context__ if implicit else None)


def _cuda(device: str) -> Any:
    """Return `torch.cuda` if the device is a CUDA device and PyTorch has initialised CUDA; else None."""
    torch = sys.modules.get("torch")
    return torch.cuda if device.startswith("cuda") and torch is not None and torch.cuda.is_initialized() else None
