"""Shares the GPUs of a machine among the workers of pytest-xdist: each sees one of those that the user lets it see."""

import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"


def share(worker: str | None = None, environment: MutableMapping[str, str] = os.environ) -> str | None:
    """Let this worker see one GPU, by indexing into those that the user lets it see.

    CUDA reads the variable when it is first asked for anything in a process, so this comes before: importing PyTorch
    does not count, but `torch.cuda.is_available()` does. Where PyTorch uses CUDA already, its current device is set
    too.

    Args:
        worker: The worker's name, such as "gw3"; None takes that of this process, which has none without xdist.
        environment: Where the variable is.

    Returns:
        The GPU as the variable names it; None where there are no workers, or fewer than two GPUs.
    """
    worker = worker or environment.get("PYTEST_XDIST_WORKER")
    gpus = visible(environment)
    if worker is None or len(gpus) < 2:
        return None
    at = int(worker.removeprefix("gw")) % len(gpus)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.set_device(at)
    environment[VISIBLE] = gpus[at]  # for processes that are started from here, too
    return gpus[at]


def visible(
    environment: MutableMapping[str, str] = os.environ,
    driver: Path = Path("/proc/driver/nvidia/gpus"),
    devices: Path = Path("/dev"),
) -> list[str]:
    """The GPUs that CUDA would see, as its variable names them: an index, a UUID, or a part of a GPU (MIG).

    Args:
        environment: Where the variable is; without it CUDA sees all of the machine.
        driver: Where NVIDIA's driver on Linux has a folder for each GPU of the machine.
        devices: Where those that this container has are.
    """
    named = environment.get(VISIBLE)
    if named is None:
        files = driver.glob("*/information")
        minors = [re.search(r"Device Minor:\s*(\d+)", file.read_text(encoding="utf-8")) for file in files]
        here = [minor for minor in minors if minor and (devices / f"nvidia{minor[1]}").exists()]
        return [str(k) for k, _ in enumerate(here)]
    found: list[str] = []
    for name in (part.strip() for part in named.split(",")):
        if name in ("", "-1") or name in found:  # CUDA ignores what comes after a name that is none
            break
        found.append(name)
    return found
