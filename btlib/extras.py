"""Optional dependencies: one that is missing is told by the name of the extra that brings it."""

import functools
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from btlib.errors import MissingExtraError

EXTRAS = {
    "torch": "torch",
    "torchvision": "torch",
    "pytorch_lightning": "torch",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "jax": "jax",
    "flax": "jax",
    "optax": "jax",
    "keras": "keras",
    "openvino": "openvino",
    "nncf": "int8",
    "segmentation_models_pytorch": "smp",
    "sklearn": "sklearn",
}
"""Package → the extra of btlib that brings it."""


@contextmanager
def named(where: object = None) -> Iterator[None]:
    """Around an import: a package of an extra that is not installed raises MissingExtraError.

    Args:
        where: Named in the message, such as the file that wants the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise MissingExtraError(
            f"{package} is not installed", where=where, hint=f"pip install 'btlib[{EXTRAS[package]}]'"
        ) from error


def openvino() -> ModuleType:
    """OpenVINO, kept from the network (see `unreported`).

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    unreported("openvino.tools.ovc.convert_impl")
    return importlib.import_module("openvino")


@functools.cache
def openvino_core() -> Any:
    """OpenVINO's one core of this process, its CPU part loaded, which is never let go.

    Each core's CPU part gives the thread a stack for signals and takes it away with it. Where the older of two cores
    goes first, what stays registered is a stack that is no more, and the next signal (Ctrl-C, a time limit) ends the
    process.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    core = openvino().Core()
    core.get_property("CPU", "FULL_DEVICE_NAME")
    return core


def unreported(name: str) -> ModuleType:
    """A module of OpenVINO or of NNCF. They would report their use over the network, from a forked process, unless they
    find no telemetry when they are first imported: then they take a stub of their own.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    if name not in sys.modules:
        before = sys.modules.pop("openvino_telemetry", None)
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # how Python says "not to be imported"
        try:
            importlib.import_module(name)
        finally:
            del sys.modules["openvino_telemetry"]
            if before is not None:
                sys.modules["openvino_telemetry"] = before
    return sys.modules[name]
