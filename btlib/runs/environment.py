"""Versions and hardware for the record."""

import platform
import re
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from btlib.speed import determinism, machine, tuning

PACKAGES = ("btlib", "numpy", "opencv-python-headless", "torch", "torchvision", "pytorch-lightning")


def environment(device: str | None = None) -> dict[str, str]:
    """Return Python, platform, processor, installed versions, and the accelerator if one was used.

    Args:
        device: Device that the case ran on, such as "cpu" or "cuda:1"; None if unknown.
    """
    facts = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **machine.facts(),
        "machine": machine.digest(),
    }
    tuned, torch_here = tuning.current(), sys.modules.get("torch")
    facts["allocator"] = tuned.allocator
    if torch_here is not None:
        facts["threads"] = str(torch_here.get_num_threads())
    if determinism.is_enforced():
        facts["deterministic"] = "yes"
    facts |= {name: found for name in PACKAGES if (found := _version(name))}
    if device is not None and device.startswith("cuda") and torch_here is not None:
        facts |= _cuda(torch_here)
    return facts


def _cuda(torch: Any) -> dict[str, str]:
    """Return the versions of CUDA, cuDNN and the driver, and PyTorch's default computation in fp32.

    "fp32 by default" is "ieee", or names the operations that PyTorch rounds to TF32 by default. btlib's own precision
    "fp32" is always IEEE fp32.
    """
    switches = {"convolutions": torch.backends.cudnn.conv, "products": torch.backends.cuda.matmul}
    rounded = [f"{name} tf32" for name, switch in switches.items() if switch.fp32_precision == "tf32"]
    found = {
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": driver(),
        "fp32 by default": ", ".join(rounded) or "ieee",
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def driver(file: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """Return the version of NVIDIA's kernel driver, such as "570.86.15"; None without this driver or without Linux."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", text)
    return found[1] if found else None


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
