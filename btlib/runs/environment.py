"""Versions and hardware, for the record."""

import os
import platform
from importlib import metadata

PACKAGES = ("btlib", "numpy", "opencv-python-headless", "torch", "torchvision", "pytorch-lightning")


def environment(device: str | None = None) -> dict[str, str]:
    """Python, platform, processor count, installed versions, and the accelerator's name where there is one."""
    facts = {"python": platform.python_version(), "platform": platform.platform(), "cpus": str(os.cpu_count())}
    facts |= {name: found for name in PACKAGES if (found := _version(name))}
    if device == "cuda":
        import torch

        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
