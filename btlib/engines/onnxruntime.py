"""Engine that runs the model with ONNX Runtime on the CPU, in fp32."""

import copy
from pathlib import Path

import numpy as np

from btlib.adapters.export import export_onnx
from btlib.adapters.onnx import OnnxPredictor
from btlib.adapters.torch import TorchPredictor
from btlib.engines.converted import converted
from btlib.engines.engine import Subject

_FILE = "model.onnx"


def build(subject: Subject) -> OnnxPredictor:
    """Build a predictor. The model is exported once, and later read from the cache.

    Raises:
        ModelError: The model cannot be exported, or the predictions of the file differ from the model's.
    """

    def convert(folder: Path) -> None:
        plain = TorchPredictor(copy.deepcopy(subject.model), "cpu", "fp32", subject.outputs)
        side, outputs = subject.image_size, subject.outputs
        rng = np.random.default_rng(0)
        images = rng.random((2, subject.channels, side, side), dtype=np.float32)
        export_onnx(plain, folder / _FILE, images, rng.random((2, outputs.structures, side, side)) > 0.5)

    def read(folder: Path) -> OnnxPredictor:
        return OnnxPredictor(folder / _FILE, providers=["CPUExecutionProvider"])

    return converted(subject, "onnx", (), convert, read)
