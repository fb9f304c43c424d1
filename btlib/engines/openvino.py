"""The model as OpenVINO runs it on the CPU."""

import copy
import importlib
import sys
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from btlib import files, fingerprint
from btlib.adapters.arrays import CallablePredictor
from btlib.adapters.outputs import Outputs, pick
from btlib.adapters.torch import OPS
from btlib.engines.engine import Subject
from btlib.errors import ModelError

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_NAMES = ("mask_prob", "class_prob")


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
    core = _openvino().Core()
    hint = {"INFERENCE_PRECISION_HINT": _HINTS[subject.precision]}
    try:
        program = core.compile_model(_program(subject, core), "CPU", hint)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot run it: {error}", where="engine openvino") from error
    names = _present(subject)

    def run(images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        found = program(images)
        return {name: np.asarray(found[i]) for i, name in enumerate(names)}

    probabilities = Outputs(
        mask="mask_prob" if "mask_prob" in names else None,
        classes="class_prob" if "class_prob" in names else None,
        mask_kind="probabilities",
        class_kind="probabilities",
    )
    return CallablePredictor(run, probabilities, layout="nchw")


def _openvino() -> Any:
    """The package. Its converter would report its use over the network, from a forked process, unless it finds no
    telemetry when it is imported: then it takes a stub of its own.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # how Python says "not to be imported"
        try:
            importlib.import_module("openvino.tools.ovc.convert_impl")
        finally:
            del sys.modules["openvino_telemetry"]
    return importlib.import_module("openvino")


def _present(subject: Subject) -> list[str]:
    """Which parts the model really has: a mapping may name one that is always None."""
    with torch.inference_mode():
        raw = subject.model(torch.zeros(1, 1, subject.image_size, subject.image_size))
    places = (subject.outputs.mask, subject.outputs.classes)
    return [name for name, place in zip(_NAMES, places, strict=True) if pick(raw, place) is not None]


def _program(subject: Subject, core: Any) -> Any:
    ov = _openvino()
    if subject.identity is None or subject.cache is None:
        return _converted(subject)
    name = fingerprint.of(subject.identity, subject.image_size, ov.__version__, torch.__version__)
    path = subject.cache / f"openvino-{name}.xml"
    if not path.exists():
        converted = _converted(subject)
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_path(path.with_suffix(".bin")) as weights:
            part = weights.with_name(f"{weights.name}.xml")
            ov.save_model(converted, part, compress_to_fp16=False)
            part.with_suffix(".bin").replace(weights)
            text = part.read_text(encoding="utf-8")
            part.unlink()
        files.write_text(path, text)  # last: without it the weights are not looked at
    return core.read_model(path)


def _converted(subject: Subject) -> Any:
    ov = _openvino()
    module = _Probabilities(copy.deepcopy(subject.model).cpu().eval(), subject.outputs)
    side = subject.image_size
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of torch's tracer, about branches on shapes that stay as they are
            program = ov.convert_model(module, example_input=torch.zeros(2, 1, side, side))
    except Exception as error:  # the converter may fail in any way
        raise ModelError(f"OpenVINO cannot convert it: {error}", where="engine openvino") from error
    program.reshape([-1, 1, side, side])
    return program
