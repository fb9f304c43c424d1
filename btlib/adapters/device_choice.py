"""Names of the devices that a user can choose. PyTorch is imported only if it is needed."""

import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from btlib.registry import unknown_name
from btlib.types import DEVICES as DEVICES
from btlib.types import Device as Device


def check_known(device: str) -> None:
    """Raise an error if the name is not one of `DEVICES`.

    Raises:
        UnknownNameError: The name is unknown. The message suggests the most similar name.
    """
    if device not in DEVICES:
        raise unknown_name("device", device, DEVICES)


def check_available(device: str) -> None:
    """Raise an error if this machine does not have the device, before any data are read or models are trained.

    PyTorch finds the GPUs. If it is not installed, nothing is checked here and the case's framework must check.

    Args:
        device: One of `DEVICES`; "auto" and "cpu" are always available.

    Raises:
        UnknownNameError: No device has this name.
        OptionError: This machine does not have the device. The hint lists the available devices.
    """
    check_known(device)
    if device not in ("auto", "cpu") and find_spec("torch") is not None:
        from btlib.adapters.devices import resolve_device

        resolve_device(device)


def named_device(predictor: object, details: Mapping[str, Any]) -> str | None:
    """Return the prediction device that a case states in its details, or else in its predictor (as all adapters do).

    Args:
        predictor: Predictor of the case; its attribute `device` is read.
        details: Details of the case; the entry "device" is read.

    Returns:
        Name of the device in the case's framework; None if the case states no device.
    """
    named = details.get("device") or getattr(predictor, "device", None)
    return None if named is None else str(named)


def where_it_runs(predictor: object, details: Mapping[str, Any], wanted: str) -> str | None:
    """Return PyTorch's name of the device that a case predicts on, such as "cpu" or "cuda:1".

    It is the device that the case states, or else the device that PyTorch resolves the user's choice to.

    Args:
        predictor: Predictor of the case.
        details: Details of the case.
        wanted: Choice of the user, one of `DEVICES`.

    Returns:
        PyTorch's name; None for a device that PyTorch does not support here, such as a TPU.
    """
    named = named_device(predictor, details)
    if named is not None:
        return torch_name(named)
    if wanted == "cpu" or find_spec("torch") is None:
        return "cpu"
    from btlib.adapters.devices import resolve_device

    return str(resolve_device(wanted))


def torch_name(name: str) -> str | None:
    """Convert another framework's device name, such as "gpu", "CudaDevice(id=1)" or "/device:GPU:0", to PyTorch's.

    Returns:
        "cpu", "mps" or "cuda", the last with an index if the name has one; None for any other device.
    """
    found = re.search(r"(cuda|gpu|rocm|metal|mps|cpu)(?:(?:device)?(?:[:_]|\(id=)(\d+))?", name.lower())
    if found is None:
        return None
    kind = {"gpu": "cuda", "rocm": "cuda", "metal": "mps"}.get(found[1], found[1])
    return f"cuda:{found[2]}" if kind == "cuda" and found[2] else kind


def has_torch_device(device: str | None) -> bool:
    """Whether PyTorch is installed and can use the device with this PyTorch name."""
    if device is None or find_spec("torch") is None:
        return False
    import torch

    if device == "cpu":
        return True
    return bool(torch.backends.mps.is_available() if device == "mps" else torch.cuda.is_available())


def gpu_name(device: str | None) -> str | None:
    """Return the product name of a GPU, such as "NVIDIA H200"; None for the CPU, or if PyTorch has no such GPU."""
    if device == "mps":
        return "Apple GPU"
    torch = sys.modules.get("torch")
    if device is None or not device.startswith("cuda") or torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name(device))
