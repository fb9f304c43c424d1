"""Versions, hardware and the state of the code, for the record."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

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


def checkout(folder: Path) -> tuple[str | None, bool | None]:
    """Commit of the git checkout that a folder lies in, and whether tracked files differ from it.

    Baselines do not count as a difference: no number depends on them. Outside a checkout both are None.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!baselines")
    return (commit, bool(changes)) if commit and changes is not None else (None, None)


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):  # no git here
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
