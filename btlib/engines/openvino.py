"""The model as OpenVINO runs it on the CPU."""

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
    """Images [n, 1, h, w] → the probabilities that the model has, masks before classes."""

    def __init__(self, model: torch.nn.Module, outputs: Outputs) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(part for part in self.outputs.read(self.model(images), OPS) if part is not None)


def build(subject: Subject) -> CallablePredictor:
    """Converted once for each trained model and size, then read from the cache.

    Raises:
        ModelError: OpenVINO cannot convert it.
    """
    return predictor(subject, program(subject), _HINTS[subject.precision])


def predictor(subject: Subject, program: Any, hint: str) -> CallablePredictor:
    """An OpenVINO program of the model, compiled.

    Args:
        subject: The model.
        program: As `program` gives it.
        hint: OpenVINO's name of the precision for what is not quantised.

    Raises:
        ModelError: OpenVINO cannot compile it.
    """
    try:
        compiled = extras.openvino_core().compile_model(program, "CPU", {"INFERENCE_PRECISION_HINT": hint})
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot run it: {error}", where="engine openvino") from error
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
    """Which parts the model really has: a mapping may name one that is always None."""
    with torch.inference_mode():
        raw = subject.model(torch.zeros(1, subject.channels, subject.image_size, subject.image_size))
    places = (subject.outputs.mask, subject.outputs.classes)
    return [name for name, place in zip(_NAMES, places, strict=True) if pick(raw, place) is not None]


def program(subject: Subject) -> Any:
    """The model in fp32 as OpenVINO's program, converted or from the cache; input float32 [n, channels, size, size].

    Raises:
        ModelError: OpenVINO cannot convert it.
    """
    return stored_program(subject, "openvino", versions(), lambda: _converted(subject))


def versions() -> tuple[str, str]:
    """Of what converts."""
    return extras.openvino().__version__, torch.__version__


def stored_program(subject: Subject, kind: str, depends_on: tuple[str | int, ...], make: Callable[[], Any]) -> Any:
    """A program of the model, made once and then read from the cache, where it has one.

    Args:
        subject: The model.
        kind: What the folder's name begins with.
        depends_on: All that decides what is made, beside the model and its size.
        make: Makes it.
    """
    if subject.identity is None or subject.cache is None:
        return make()

    def convert(folder: Path) -> None:
        extras.openvino().save_model(make(), folder / _FILE, compress_to_fp16=False)  # and the weights beside it

    def read(folder: Path) -> Any:
        return extras.openvino_core().read_model(folder / _FILE)

    return converted(subject, kind, depends_on, convert, read)


def _converted(subject: Subject) -> Any:
    ov = extras.openvino()
    module = _Probabilities(copy.deepcopy(subject.model).cpu().eval(), subject.outputs)
    shape = (subject.channels, subject.image_size, subject.image_size)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of torch's tracer, about branches on shapes that stay as they are
            program = ov.convert_model(module, example_input=torch.zeros(2, *shape))
    except Exception as error:  # the converter may fail in any way
        raise ModelError(f"OpenVINO cannot convert it: {error}", where="engine openvino") from error
    program.reshape([-1, *shape])
    return program
