"""Share the GPUs of a machine among the workers of pytest-xdist: each sees one of the GPUs visible to the user."""

import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"


def share(worker: str | None = None, environment: MutableMapping[str, str] = os.environ) -> str | None:
    """Make one GPU visible to this worker, chosen by the worker's number from the GPUs visible to the user.

    CUDA reads the variable `CUDA_VISIBLE_DEVICES` at its first call in a process, so this function must be called
    before. Importing PyTorch is no such call, but `torch.cuda.is_available()` is. If PyTorch already uses CUDA, its
    current device is set too.

    Args:
        worker: Name of the worker, such as "gw3"; None takes that of this process, which has no name without xdist.
        environment: Environment variables.

    Returns:
        GPU as named in the variable; None if there are no workers or fewer than two GPUs.
    """
    worker = worker or environment.get("PYTEST_XDIST_WORKER")
    gpus = visible(environment)
    if worker is None or len(gpus) < 2:
        return None
    at = int(worker.removeprefix("gw")) % len(gpus)
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.set_device(at)
    environment[VISIBLE] = gpus[at]  # also for processes started by this one
    return gpus[at]


def visible(
    environment: MutableMapping[str, str] = os.environ,
    driver: Path = Path("/proc/driver/nvidia/gpus"),
    devices: Path = Path("/dev"),
) -> list[str]:
    """Return the GPUs that CUDA would see, as named in its variable: an index, a UUID, or a part of a GPU (MIG).

    Args:
        environment: Environment variables; without `CUDA_VISIBLE_DEVICES` CUDA sees all GPUs of the machine.
        driver: Folder in which NVIDIA's driver on Linux has a folder for each GPU of the machine.
        devices: Folder with the device files of the GPUs in this container.
    """
    named = environment.get(VISIBLE)
    if named is None:
        files = driver.glob("*/information")
        minors = [re.search(r"Device Minor:\s*(\d+)", file.read_text(encoding="utf-8")) for file in files]
        here = [minor for minor in minors if minor and (devices / f"nvidia{minor[1]}").exists()]
        return [str(k) for k, _ in enumerate(here)]
    found: list[str] = []
    for name in (part.strip() for part in named.split(",")):
        if name in ("", "-1") or name in found:  # CUDA ignores all names after an invalid one
            break
        found.append(name)
    return found
