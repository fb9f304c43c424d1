"""ONNX files, exported here or made by hand, behind the protocol."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from btlib.adapters import OnnxPredictor, Outputs
from btlib.errors import ModelError, PredictionError

from .conftest import sigmoid


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file that multiplies its input by 4 and calls that "seg"."""

    def make(shape: tuple[object, ...], kind: int = TensorProto.FLOAT, inputs: int = 1, name: str = "seg") -> Path:
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        graph = helper.make_graph(
            [helper.make_node("Mul", ["x0", "four"], [name])],
            "g",
            [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)],
            [helper.make_tensor_value_info(name, kind, shape)],
            [onnx.numpy_helper.from_array(np.array(4, dtype), "four")],
        )
        opsets = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "net.onnx")
        return tmp_path / "net.onnx"

    return make


@pytest.mark.parametrize("batch", ["n", 1, 2, 5, 8])
def test_any_batch_a_file_was_made_for(write: Callable[..., Path], images: np.ndarray, batch: object):
    said = OnnxPredictor(write((batch, 1, "h", "w")), Outputs("seg")).predict(images)
    assert said.mask_prob == pytest.approx(sigmoid(images * 4), abs=1e-6)


def test_half_precision(write: Callable[..., Path], images: np.ndarray):
    said = OnnxPredictor(write(("n", 1, "h", "w"), TensorProto.FLOAT16), Outputs("seg")).predict(images)
    assert said.mask_prob.dtype == np.float32
    assert said.mask_prob == pytest.approx(sigmoid(images * 4), abs=2e-3)


def test_channels_last(write: Callable[..., Path], images: np.ndarray):
    said = OnnxPredictor(write(("n", "h", "w", 1)), Outputs(0), layout="nhwc").predict(images)
    assert said.mask_prob == pytest.approx(sigmoid(images * 4), abs=1e-6)


def test_a_size_that_is_not_the_files(write: Callable[..., Path], images: np.ndarray):
    with pytest.raises(ModelError, match=r"takes \['n', 1, 64, 64\], got \[5, 1, 33, 48\](.|\n)*declare image_size"):
        OnnxPredictor(write(("n", 1, 64, 64)), Outputs("seg")).predict(images)
    with pytest.raises(ModelError, match=r"takes \['n', 3, 'h', 'w'\], got \[5, 1, 33, 48\](.|\n)*channels"):
        OnnxPredictor(write(("n", 3, "h", "w")), Outputs("seg")).predict(images)


def test_files_that_will_not_do(write: Callable[..., Path], tmp_path: Path):
    with pytest.raises(ModelError, match=r"expected one input of floats, it takes x0: tensor\(int64\)"):
        OnnxPredictor(write(("n", 1, "h", "w"), TensorProto.INT64), Outputs("seg"))
    with pytest.raises(ModelError, match=r"it takes x0: .*, x1: "):
        OnnxPredictor(write(("n", 1, "h", "w"), inputs=2), Outputs("seg"))
    with pytest.raises(ModelError, match="its outputs are called seg"):
        OnnxPredictor(write(("n", 1, "h", "w")))
    (tmp_path / "text.onnx").write_text("lost")
    with pytest.raises(ModelError, match=r"text\.onnx: ONNX Runtime cannot load it"):
        OnnxPredictor(tmp_path / "text.onnx", Outputs("seg"))
    with pytest.raises(ModelError, match="there is no such file"):
        OnnxPredictor(tmp_path / "nix.onnx", Outputs("seg"))


def test_the_names_of_our_own_files_need_no_mapping(write: Callable[..., Path], images: np.ndarray):
    said = OnnxPredictor(write(("n", 1, "h", "w"), name="mask_prob")).predict(images)
    assert said.mask_prob == pytest.approx(images * 4)
    assert said.class_prob is None


def test_an_output_that_is_not_there(write: Callable[..., Path], images: np.ndarray):
    with pytest.raises(PredictionError, match="no part 'mask': it is a dict of seg"):
        OnnxPredictor(write(("n", 1, "h", "w")), Outputs("mask")).predict(images)
