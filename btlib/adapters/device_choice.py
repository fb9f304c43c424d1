"""The devices that a user can choose from, by name. PyTorch is imported only where one of its GPUs is asked for."""

from importlib.util import find_spec
from typing import Literal, get_args

from btlib.registry import unknown_name

Device = Literal["auto", "cuda", "mps", "cpu"]
"""What `Work.device` may be: "auto" takes the first of the others that the machine has."""

DEVICES: tuple[Device, ...] = get_args(Device)


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
