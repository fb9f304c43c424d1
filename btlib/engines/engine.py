"""Registry of the engines, and the model that an engine runs."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from btlib import extras
from btlib.adapters.devices import Precision
from btlib.adapters.outputs import Outputs
from btlib.evaluation.predictor import Predictor
from btlib.registry import Registry

CALIBRATION_SAMPLES = 300
"""Number of training samples for the calibration of a quantised engine; all samples if there are fewer."""


@dataclass(frozen=True, eq=False)
class Subject:
    """Trained model that an engine runs.

    Attributes:
        model: Model in eval mode; engines work on copies.
        outputs: Mapping that finds masks and classes in the returned value.
        device: Device that runs the model.
        precision: "fp32" or "bf16".
        image_size: Side length of the square input in pixels.
        identity: Identity of the trained weights, used as the key of the cache; None stores no converted models.
        cache: Folder of converted models; None stores none.
        calibration: Function that returns training images, float32 [n, channels, h, w], for the calibration of a
            quantised engine.
        channels: Number of channels of the images.
    """

    model: torch.nn.Module
    outputs: Outputs
    device: torch.device
    precision: Precision
    image_size: int
    identity: str | None = None
    cache: Path | None = None
    calibration: Callable[[], NDArray[np.float32]] | None = None
    channels: int = 1


@dataclass(frozen=True)
class Engine:
    """Description of an engine.

    Attributes:
        name: Name for `--bt-engine`.
        room: Module with the function `build(subject) -> Predictor`. A name without a dot is a module of
            `btlib.engines`.
        devices: Types of device on which the engine runs.
        packages: Packages that must be installed in addition to torch.
        quantised: Whether the engine computes in int8, with ranges from calibration samples; "auto" skips such engines.
    """

    name: str
    room: str
    devices: tuple[str, ...]
    packages: tuple[str, ...] = ()
    quantised: bool = False

    @property
    def extra(self) -> str | None:
        """Extra of btlib that installs a missing package; None if all packages are installed."""
        missing = [name for name in self.packages if not importlib.util.find_spec(name)]
        return extras.EXTRAS[missing[-1]] if missing else None

    def fits(self, device: torch.device) -> bool:
        """Whether the engine can run on this device with the installed packages."""
        return device.type in self.devices and self.extra is None

    def build(self, subject: Subject) -> Predictor:
        """Build a predictor that runs the model with this engine.

        Raises:
            ModelError: The model cannot be converted or compiled.
        """
        module = self.room if "." in self.room else f"btlib.engines.{self.room}"
        build: Callable[[Subject], Any] = importlib.import_module(module).build
        predictor: Predictor = build(subject)
        return predictor


ENGINES: Registry[Engine] = Registry("engine", "btlib.engines")
for _engine in (
    Engine("openvino", "openvino", ("cpu",), ("openvino",)),
    Engine("compile", "compiled", ("cuda", "cpu")),
    Engine("onnxruntime", "onnxruntime", ("cpu",), ("onnxruntime", "onnx", "onnxscript")),
    Engine("eager", "eager", ("cuda", "mps", "cpu")),
    Engine("openvino-int8", "openvino_int8", ("cpu",), ("openvino", "nncf"), quantised=True),
):
    ENGINES.add(_engine.name, _engine)


def engine_names() -> tuple[str, ...]:
    """Return "auto" and the names of all engines. "auto" tries the engines in this order, except quantised ones."""
    return ("auto", *ENGINES)
