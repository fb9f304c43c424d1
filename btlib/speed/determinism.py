"""Deterministic computation: bit-identical results on one machine, with the same versions and number of threads.

See https://docs.pytorch.org/docs/stable/notes/randomness.html.
"""

import importlib.util
import os
import sys
from collections.abc import Callable

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


def enforce() -> Callable[[], None]:
    """Make PyTorch use only deterministic algorithms, and raise an error for operations that have none.

    Without PyTorch only the cuBLAS setting is made; a case of another framework must be deterministic by itself.

    Returns:
        Function that restores the previous settings.
    """
    before = os.environ.get(_WORKSPACE)
    os.environ.setdefault(_WORKSPACE, ":4096:8")  # cuBLAS reads it at its first use
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
    """Number of threads that this process computes with; it affects the order of floating-point sums."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    from joblib import cpu_count

    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else int(cpu_count())


def is_enforced() -> bool:
    """Whether PyTorch is loaded and uses only deterministic algorithms."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.are_deterministic_algorithms_enabled())


def _restore(workspace: str | None) -> None:
    if workspace is None:
        os.environ.pop(_WORKSPACE, None)
    else:
        os.environ[_WORKSPACE] = workspace
