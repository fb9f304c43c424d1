"""The engines: what each is built from, and where it can run."""

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

CALIBRATION_SLICES = 300
"""Training samples that a quantised engine measures its ranges on, or all where there are fewer."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained model to run faster.

    Attributes:
        model: In eval mode; engines work on copies.
        outputs: Where masks and classes are in what it returns.
        device: Where it runs.
        precision: "fp32" or "bf16".
        image_size: Side of its square input in pixels.
        identity: Of the trained weights, under which converted models are kept; None keeps none.
        cache: Folder of converted models.
        calibration: Gives training images, float32 [n, channels, h, w], on which a quantised engine measures ranges.
        channels: Of its images.
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
    """One way to run a model.

    Attributes:
        name: As in `--bt-engine`.
        room: Module that holds `build(subject) -> Predictor`, of `btlib.engines` where its name has no dot.
        devices: Types of device it runs on.
        packages: What must be installed beside torch.
        quantised: Whether it computes in int8, with ranges from calibration samples; "auto" never tries one that does.
    """

    name: str
    room: str
    devices: tuple[str, ...]
    packages: tuple[str, ...] = ()
    quantised: bool = False

    @property
    def extra(self) -> str | None:
        """The extra of btlib that brings what is not installed of its packages; None where all are."""
        missing = [name for name in self.packages if not importlib.util.find_spec(name)]
        return extras.EXTRAS[missing[-1]] if missing else None

    def fits(self, device: torch.device) -> bool:
        """Whether it can run on this device with what is installed."""
        return device.type in self.devices and self.extra is None

    def build(self, subject: Subject) -> Predictor:
        """The model as this engine runs it.

        Raises:
            ModelError: It cannot be converted or compiled.
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
    """What may be asked for; "auto" tries the engines that are not quantised in this order, the fastest first."""
    return ("auto", *ENGINES)
