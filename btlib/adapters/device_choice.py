"""The devices that a user can choose from, by name. PyTorch is imported only where one of its GPUs is asked for."""

import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from btlib.registry import unknown_name
from btlib.types import DEVICES as DEVICES
from btlib.types import Device as Device


def check_known(device: str) -> None:
    """Refuse a name that is not one of `DEVICES`.

    Raises:
        UnknownNameError: The name is not one of them; the nearest is offered.
    """
    if device not in DEVICES:
        raise unknown_name("device", device, DEVICES)


def check_available(device: str) -> None:
    """Refuse a device that this machine lacks, before anything is read or trained.

    PyTorch is what finds GPUs. Where it is not installed, the case's own framework has to.

    Args:
        device: One of `DEVICES`; "auto" and "cpu" are always there.

    Raises:
        UnknownNameError: There is no such device.
        OptionError: This machine does not have it; those that it has are named.
    """
    check_known(device)
    if device not in ("auto", "cpu") and find_spec("torch") is not None:
        from btlib.adapters.devices import resolve_device

        resolve_device(device)


def named_device(predictor: object, details: Mapping[str, Any]) -> str | None:
    """The device that a case says it predicts on: among its details, else by its predictor (as all adapters do).

    Args:
        predictor: Of the case; `device` counts.
        details: Of the case; "device" counts.

    Returns:
        In its own framework's words; None where it says nothing.
    """
    named = details.get("device") or getattr(predictor, "device", None)
    return None if named is None else str(named)


def where_it_runs(predictor: object, details: Mapping[str, Any], wanted: str) -> str | None:
    """The device that a case predicts on, by PyTorch's name, such as "cpu" or "cuda:1".

    It is the one that the case names, else what PyTorch would take for what the user asked for.

    Args:
        predictor: Of the case.
        details: Of the case.
        wanted: What the user asked for, one of `DEVICES`.

    Returns:
        None for a device that PyTorch has no part in, such as a TPU.
    """
    named = named_device(predictor, details)
    if named is not None:
        return torch_name(named)
    if wanted == "cpu" or find_spec("torch") is None:
        return "cpu"
    from btlib.adapters.devices import resolve_device

    return str(resolve_device(wanted))


def torch_name(name: str) -> str | None:
    """PyTorch's name of a device that another framework names, such as "gpu", "CudaDevice(id=1)" or "/device:GPU:0".

    Returns:
        "cpu", "mps" or "cuda", the last with an index where the name has one; None for any other device.
    """
    found = re.search(r"(cuda|gpu|rocm|metal|mps|cpu)(?:(?:device)?(?:[:_]|\(id=)(\d+))?", name.lower())
    if found is None:
        return None
    kind = {"gpu": "cuda", "rocm": "cuda", "metal": "mps"}.get(found[1], found[1])
    return f"cuda:{found[2]}" if kind == "cuda" and found[2] else kind


def has_torch_device(device: str | None) -> bool:
    """Whether PyTorch is installed and can work on a device, by its name of it."""
    if device is None or find_spec("torch") is None:
        return False
    import torch

    if device == "cpu":
        return True
    return bool(torch.backends.mps.is_available() if device == "mps" else torch.cuda.is_available())


def gpu_name(device: str | None) -> str | None:
    """What a GPU is called, such as "NVIDIA H200"; None for the CPU, or where PyTorch has no such GPU."""
    if device == "mps":
        return "Apple GPU"
    torch = sys.modules.get("torch")
    if device is None or not device.startswith("cuda") or torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name(device))
