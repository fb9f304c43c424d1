"""The model as ONNX Runtime runs it on the CPU, in fp32."""

import copy
import tempfile
from pathlib import Path

import numpy as np

from btlib import fingerprint
from btlib.adapters.export import export_onnx
from btlib.adapters.onnx import OnnxPredictor
from btlib.adapters.torch import TorchPredictor
from btlib.engines.engine import Subject


def build(subject: Subject) -> OnnxPredictor:
    """Exported once for each trained model, then read from the cache.

    Raises:
        ModelError: It cannot be exported, or the file says something else than the model.
    """
    if subject.identity is None or subject.cache is None:
        with tempfile.TemporaryDirectory() as folder:
            return _predictor(subject, Path(folder) / "model.onnx")
    return _predictor(subject, subject.cache / f"onnx-{fingerprint.of(subject.identity, subject.image_size)}.onnx")


def _predictor(subject: Subject, path: Path) -> OnnxPredictor:
    if not path.exists():
        plain = TorchPredictor(copy.deepcopy(subject.model), "cpu", "fp32", subject.outputs)
        images = np.random.default_rng(0).random((2, subject.image_size, subject.image_size), dtype=np.float32)
        export_onnx(plain, path, images, images > 0.5)
    return OnnxPredictor(path, providers=["CPUExecutionProvider"])
