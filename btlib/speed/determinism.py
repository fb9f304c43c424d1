"""The same numbers to the bit: on one machine, with one set of versions and one number of threads.

See https://docs.pytorch.org/docs/stable/notes/randomness.html.
"""

import importlib.util
import os
import sys
from collections.abc import Callable

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def enforce() -> Callable[[], None]:
    """From now on PyTorch takes deterministic algorithms only, and raises where an operation has none.

    Without PyTorch there is nothing to do: a case of another framework sees to itself.

    Returns:
        Sets everything as it was before.
    """
    before = os.environ.get(_WORKSPACE)
    os.environ.setdefault(_WORKSPACE, ":4096:8")  # cuBLAS asks for it before its first use
    if importlib.util.find_spec("torch") is None:
        return lambda: _restore(before)
    import torch

    was = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)

    def undo() -> None:
        torch.use_deterministic_algorithms(was[0], warn_only=was[1])
        _restore(before)

    return undo


def threads() -> int:
    """Threads that this process computes with, which decide in what order floating-point numbers are added."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    from joblib import cpu_count

    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else int(cpu_count())


def is_enforced() -> bool:
    """Whether PyTorch is loaded and takes deterministic algorithms only."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.are_deterministic_algorithms_enabled())


def _restore(workspace: str | None) -> None:
    if workspace is None:
        os.environ.pop(_WORKSPACE, None)
    else:
        os.environ[_WORKSPACE] = workspace
