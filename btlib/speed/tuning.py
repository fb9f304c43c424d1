"""Tuning of the memory allocator and the number of threads of this process, for large temporary arrays.

A network on the CPU allocates and frees hundreds of megabytes in every batch. By default the C library returns this
memory to the system, which provides it again page by page, filled with zeros. With this tuning the process keeps freed
memory. The number of threads is limited to the processors that this process may use, divided among workers.
"""

import ctypes
import os
import sys
from dataclasses import dataclass

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # glibc's malloc.h
_PAD = 512 << 20
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Tuning:
    """Settings that were made.

    Attributes:
        allocator: "kept" if freed memory stays with the process, "default" if nothing was changed.
        threads: Number of threads of this process; None if it was not changed.
    """

    allocator: str = "default"
    threads: int | None = None


_now = Tuning()


def tune(workers: int = 1) -> Tuning:
    """Set allocator and threads for the rest of this process. Without glibc the allocator is not changed.

    The allocator settings are those of `MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 MALLOC_TOP_PAD_=536870912`.

    Args:
        workers: Number of processes that share this machine's processors, including this one.
    """
    global _now
    _now = Tuning(_keep_memory(), _share_threads(workers))
    return _now


def current() -> Tuning:
    """Return the settings of this process."""
    return _now


def _keep_memory() -> str:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return "default"
    done = [mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, -1), mallopt(_TOP_PAD, _PAD)]
    return "kept" if all(done) else "default"


def _share_threads(workers: int) -> int | None:
    """Limit the threads if this process may not use all processors and the user has not set a limit."""
    from joblib import cpu_count  # it considers affinity and cgroups, which the frameworks' defaults do not

    mine: int = max(1, cpu_count() // workers)
    if mine == os.cpu_count() or any(name in os.environ for name in _THREADS):
        return None
    os.environ.update(dict.fromkeys(_THREADS, str(mine)))  # for libraries that are not loaded yet
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(mine)
    return mine
