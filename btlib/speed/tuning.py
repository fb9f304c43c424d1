"""The allocator and the threads of this process, set for large arrays that come and go.

A network on the CPU frees and asks for hundreds of megabytes in every batch. By default the C library gives each of
them back to the system, which hands it out again page by page, zeroed. Here the process keeps what it once had. Threads
are held to the processors that this process may use, shared among workers.
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
    """What was set.

    Attributes:
        allocator: "kept" where freed memory stays with the process, "default" where nothing was changed.
        threads: Processors that this process works with; None where that was left alone.
    """

    allocator: str = "default"
    threads: int | None = None


_now = Tuning()


def tune(workers: int = 1) -> Tuning:
    """Set both, for the rest of this process; on systems without glibc the allocator is left alone.

    The same as starting it with `MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 MALLOC_TOP_PAD_=536870912`.

    Args:
        workers: Processes that share this machine's processors, this one included.
    """
    global _now
    _now = Tuning(_keep_memory(), _share_threads(workers))
    return _now


def current() -> Tuning:
    """What was set in this process."""
    return _now


def _keep_memory() -> str:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return "default"
    done = [mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, -1), mallopt(_TOP_PAD, _PAD)]
    return "kept" if all(done) else "default"


def _share_threads(workers: int) -> int | None:
    """Only where there is something to share out, and the user has not done it."""
    from joblib import cpu_count

    mine: int = max(
        1, cpu_count() // workers
    )  # it knows affinity and cgroups, which the frameworks' own defaults do not
    if mine == os.cpu_count() or any(name in os.environ for name in _THREADS):
        return None
    os.environ.update(dict.fromkeys(_THREADS, str(mine)))  # for what is not loaded yet
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(mine)
    return mine
