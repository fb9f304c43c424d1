"""Versions and hardware, for the record."""

import platform
import sys
from importlib import metadata

from btlib.speed import machine, tuning

PACKAGES = ("btlib", "numpy", "opencv-python-headless", "torch", "torchvision", "pytorch-lightning")


def environment(device: str | None = None) -> dict[str, str]:
    """Python, platform, processor, installed versions, and the accelerator where one was used.

    Args:
        device: What the case ran on, such as "cuda".
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
    facts |= {name: found for name in PACKAGES if (found := _version(name))}
    if device == "cuda":
        import torch

        facts["cuda"] = str(torch.version.cuda)
    return facts


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
