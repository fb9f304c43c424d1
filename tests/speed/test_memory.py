"""Errors of every framework that memory ran out are known as such, and what nobody uses is given back."""

import errno
import gc
import sys
import weakref
from unittest.mock import Mock

import numpy as np
import pytest

from btlib.speed import memory


class OutOfMemoryError(RuntimeError):
    """As torch and Keras call theirs."""


class AcceleratorError(RuntimeError):
    """As torch calls what the CUDA runtime reports."""


class XlaRuntimeError(RuntimeError):
    """As JAX calls theirs."""


RAN_OUT = [
    MemoryError(),
    OutOfMemoryError("tried to allocate 80 GiB"),
    AcceleratorError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    XlaRuntimeError("RESOURCE_EXHAUSTED: Failed to allocate request for 2.0GiB"),
    ValueError("OOM when allocating tensor with shape[64,2048] and type float"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("[ONNXRuntimeError] : Failed to allocate memory for requested buffer of size 8"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]
OTHERS = [
    AcceleratorError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED"),
    XlaRuntimeError("INVALID_ARGUMENT: shapes differ"),
    ValueError("no room: a bloomed mask allocates nothing"),
    OSError(errno.ENOENT, "No such file"),
]


@pytest.mark.parametrize("error", RAN_OUT, ids=str)
def test_memory_ran_out(error: Exception):
    assert memory.ran_out(error)
    wrapped = ValueError("engine: cannot be compiled")
    wrapped.__cause__ = error
    assert memory.ran_out(wrapped), "what a wrapper was raised from counts"


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_memory_did_not_run_out(error: Exception):
    assert not memory.ran_out(error)
    error.__context__ = MemoryError()
    assert not memory.ran_out(error), "it was caught, and something else went wrong after it"


class Big:
    """Of which a weak reference can be taken."""


def test_what_a_failed_call_held_is_let_go():
    seen: list[weakref.ref[Big]] = []

    def deeper() -> None:
        held = Big()
        seen.append(weakref.ref(held))
        raise RuntimeError("CUDA error: out of memory")

    def call() -> None:
        held = Big()
        held.itself = held  # type: ignore[attr-defined]
        seen.append(weakref.ref(held))
        try:
            deeper()
        except RuntimeError as error:
            raise ValueError("engine") from error

    gc.disable()
    try:
        try:
            call()
        except ValueError as error:
            kept = error
        assert all(ref() is not None for ref in seen)
        memory.release(kept)
        assert all(ref() is None for ref in seen)
        assert str(kept) == "engine"
    finally:
        gc.enable()


@pytest.mark.parametrize("initialised", [False, True])
def test_the_accelerators_cache_goes_and_no_accelerator_is_woken(monkeypatch: pytest.MonkeyPatch, initialised: bool):
    torch = Mock()
    torch.cuda.is_initialized.return_value = initialised
    torch.backends.mps.is_available.return_value = False
    monkeypatch.setitem(sys.modules, "torch", torch)
    memory.release()
    assert torch.cuda.empty_cache.called is initialised
    assert not torch.mps.empty_cache.called


def test_a_device_of_which_pytorch_knows_nothing_has_no_peak():
    memory.reset_peak("cuda:1")
    assert memory.device_peak_mib("cuda:1") is None
    assert memory.device_peak_mib("cpu") is None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells it")
def test_the_peak_of_this_process():
    memory.reset_peak()
    before = memory.peak_mib()
    np.ones(16_000_000).sum()  # 122 MiB
    assert before is not None
    assert memory.peak_mib() > before + 100
