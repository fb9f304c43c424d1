"""Engine that runs the model with OpenVINO on the CPU."""

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from btlib import extras
from btlib.adapters.arrays import CallablePredictor
from btlib.adapters.outputs import Outputs, pick
from btlib.adapters.torch import OPS
from btlib.engines.converted import converted
from btlib.engines.engine import Subject
from btlib.errors import ModelError

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_NAMES = ("mask_prob", "class_prob")
_FILE = "program.xml"


class _Probabilities(torch.nn.Module):
    """Model together with its output mapping: images [n, channels, h, w] → mask and class probabilities, if present."""

    def __init__(self, model: torch.nn.Module, outputs: Outputs) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(part for part in self.outputs.read(self.model(images), OPS) if part is not None)


def build(subject: Subject) -> CallablePredictor:
    """Build a predictor. The model is converted once per image size, and later read from the cache.

    Raises:
        ModelError: OpenVINO cannot convert or compile the model.
    """
    return predictor(subject, program(subject), _HINTS[subject.precision])


def predictor(subject: Subject, program: Any, hint: str) -> CallablePredictor:
    """Compile an OpenVINO program of the model, and return its predictor.

    Args:
        subject: Model to run.
        program: OpenVINO program of the model, see `program`.
        hint: OpenVINO's name of the precision for layers that are not quantised.

    Raises:
        ModelError: OpenVINO cannot compile the program.
    """
    try:
        compiled = extras.openvino_core().compile_model(program, "CPU", {"INFERENCE_PRECISION_HINT": hint})
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot compile the model: {error}", where="engine openvino") from error
    names = _present(subject)

    def run(images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        found = compiled(images)
        return {name: np.asarray(found[i]) for i, name in enumerate(names)}

    probabilities = Outputs(
        mask="mask_prob" if "mask_prob" in names else None,
        classes="class_prob" if "class_prob" in names else None,
        mask_kind="probabilities",
        class_kind="probabilities",
        structures=subject.outputs.structures,
    )
    found = CallablePredictor(run, probabilities, layout="nchw")
    found.device = "cpu"
    return found


def _present(subject: Subject) -> list[str]:
    """Return the parts that the model's output contains. The mapping may name a part that is always None."""
    with torch.inference_mode():
        raw = subject.model(torch.zeros(1, subject.channels, subject.image_size, subject.image_size))
    places = (subject.outputs.mask, subject.outputs.classes)
    return [name for name, place in zip(_NAMES, places, strict=True) if pick(raw, place) is not None]


def program(subject: Subject) -> Any:
    """Return the OpenVINO program of the model in fp32, from the cache if it is stored there.

    Its input is float32 [n, channels, size, size].

    Raises:
        ModelError: OpenVINO cannot convert the model.
    """
    return stored_program(subject, "openvino", versions(), lambda: _converted(subject))


def versions() -> tuple[str, str]:
    """Return the versions of OpenVINO and PyTorch, which convert the model."""
    return extras.openvino().__version__, torch.__version__


def stored_program(subject: Subject, kind: str, depends_on: tuple[str | int, ...], make: Callable[[], Any]) -> Any:
    """Return a program of the model. With a cache, it is made once and later read from the cache.

    Args:
        subject: Model of the program.
        kind: Prefix of the folder's name.
        depends_on: Values that decide the result, in addition to the model and its size.
        make: Function that makes the program.
    """
    if subject.identity is None or subject.cache is None:
        return make()

    def convert(folder: Path) -> None:
        extras.openvino().save_model(make(), folder / _FILE, compress_to_fp16=False)  # and its weights

    def read(folder: Path) -> Any:
        return extras.openvino_core().read_model(folder / _FILE)

    return converted(subject, kind, depends_on, convert, read)


def _converted(subject: Subject) -> Any:
    ov = extras.openvino()
    module = _Probabilities(copy.deepcopy(subject.model).cpu().eval(), subject.outputs)
    shape = (subject.channels, subject.image_size, subject.image_size)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # torch's tracer warns of branches on shapes
            program = ov.convert_model(module, example_input=torch.zeros(2, *shape))
    except Exception as error:  # the converter may fail in any way
        raise ModelError(f"OpenVINO cannot convert the model: {error}", where="engine openvino") from error
    program.reshape([-1, *shape])
    return program
