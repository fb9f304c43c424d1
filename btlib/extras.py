"""Optional dependencies. The error for a missing one names the extra that installs it."""

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
    "pyarrow": "parquet",
    "pydicom": "dicom",
    "nibabel": "nifti",
    "tifffile": "tiff",
}
"""Package → the extra of btlib that installs it."""


@contextmanager
def named(where: object = None) -> Iterator[None]:
    """Context manager for an import: a missing package of an extra raises MissingExtraError.

    Args:
        where: Place that the message names, such as the file that imports the package.
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
    """Import OpenVINO without its telemetry (see `unreported`).

    Raises:
        ModuleNotFoundError: OpenVINO is not installed.
    """
    unreported("openvino.tools.ovc.convert_impl")
    return importlib.import_module("openvino")


@functools.cache
def openvino_core() -> Any:
    """Return the only OpenVINO core of this process, with its CPU plugin loaded. It is never released.

    The CPU plugin of each core registers a signal stack for the thread and removes it on release. If the older of two
    cores is released first, a freed stack stays registered, and the next signal (Ctrl-C, a time limit) kills the
    process.

    Raises:
        ModuleNotFoundError: OpenVINO is not installed.
    """
    core = openvino().Core()
    core.get_property("CPU", "FULL_DEVICE_NAME")
    return core


def unreported(name: str) -> ModuleType:
    """Import a module of OpenVINO or NNCF without telemetry.

    These packages report their use over the network, from a forked process, unless their telemetry package is missing
    at the first import. In that case they use their own stub.

    Raises:
        ModuleNotFoundError: The module is not installed.
    """
    if name not in sys.modules:
        before = sys.modules.pop("openvino_telemetry", None)
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # makes the import fail
        try:
            importlib.import_module(name)
        finally:
            del sys.modules["openvino_telemetry"]
            if before is not None:
                sys.modules["openvino_telemetry"] = before
    return sys.modules[name]
