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
    assert said.mask_prob == pytest.approx(sigmoid(images[:, 0] * 4), abs=1e-6)


def test_half_precision(write: Callable[..., Path], images: np.ndarray):
    said = OnnxPredictor(write(("n", 1, "h", "w"), TensorProto.FLOAT16), Outputs("seg")).predict(images)
    assert said.mask_prob.dtype == np.float32
    assert said.mask_prob == pytest.approx(sigmoid(images[:, 0] * 4), abs=2e-3)


def test_channels_last(write: Callable[..., Path], images: np.ndarray):
    said = OnnxPredictor(write(("n", "h", "w", 1)), Outputs(0), layout="nhwc").predict(images)
    assert said.mask_prob == pytest.approx(sigmoid(images[:, 0] * 4), abs=1e-6)


def test_a_size_that_is_not_the_files(write: Callable[..., Path], images: np.ndarray):
    with pytest.raises(ModelError, match=r"expected an input of shape \['n', 1, 64, 64\], got .*\n.*set image_size"):
        OnnxPredictor(write(("n", 1, 64, 64)), Outputs("seg")).predict(images)
    with pytest.raises(ModelError, match=r"shape \['n', 3, 'h', 'w'\], got \[5, 1, 33, 48\](.|\n)*channels"):
        OnnxPredictor(write(("n", 3, "h", "w")), Outputs("seg")).predict(images)


def test_files_that_will_not_do(write: Callable[..., Path], tmp_path: Path):
    with pytest.raises(ModelError, match=r"expected one float input, found x0: tensor\(int64\)"):
        OnnxPredictor(write(("n", 1, "h", "w"), TensorProto.INT64), Outputs("seg"))
    with pytest.raises(ModelError, match=r"found x0: .*, x1: "):
        OnnxPredictor(write(("n", 1, "h", "w"), inputs=2), Outputs("seg"))
    with pytest.raises(ModelError, match="expected outputs mask_prob or class_prob, found seg"):
        OnnxPredictor(write(("n", 1, "h", "w")))
    (tmp_path / "text.onnx").write_text("lost")
    with pytest.raises(ModelError, match=r"text\.onnx: ONNX Runtime cannot load it"):
        OnnxPredictor(tmp_path / "text.onnx", Outputs("seg"))
    with pytest.raises(ModelError, match="the file does not exist"):
        OnnxPredictor(tmp_path / "nix.onnx", Outputs("seg"))


def test_the_names_of_our_own_files_need_no_mapping(write: Callable[..., Path], images: np.ndarray):
    said = OnnxPredictor(write(("n", 1, "h", "w"), name="mask_prob")).predict(images)
    assert said.mask_prob == pytest.approx(images[:, 0] * 4)
    assert said.class_prob is None


def test_an_output_that_is_not_there(write: Callable[..., Path], images: np.ndarray):
    with pytest.raises(PredictionError, match="no part 'mask': it is a dict with seg"):
        OnnxPredictor(write(("n", 1, "h", "w")), Outputs("mask")).predict(images)


@pytest.fixture
def gpu_build(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """As where onnxruntime-gpu is installed: CUDA is there too. What sessions are asked to run on."""
    import onnxruntime

    asked: list[list[str]] = []
    session = onnxruntime.InferenceSession
    here = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: here)

    def make(path: Path, providers: list[str]) -> object:
        asked.append(providers)
        made = session(path, providers=["CPUExecutionProvider"])
        made.get_providers = lambda: providers
        made.get_provider_options = lambda: {"CUDAExecutionProvider": {"device_id": "1"}}
        return made

    monkeypatch.setattr(onnxruntime, "InferenceSession", make)
    return asked


def test_it_takes_the_gpu_where_there_is_one_and_says_so(write: Callable[..., Path], gpu_build: list[list[str]]):
    path = write(("n", 1, "h", "w"))
    assert OnnxPredictor(path, Outputs("seg")).device == "cuda:1"
    assert OnnxPredictor(path, Outputs("seg"), providers=["CPUExecutionProvider"]).device == "cpu"
    assert OnnxPredictor(path, Outputs("seg"), providers=["DmlExecutionProvider"]).device is None
    assert gpu_build[0] == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_what_is_called_the_cpu_runs_there(tmp_path: Path, gpu_build: list[list[str]]):
    """The engine for the CPU, and the parity of an export with a model on the CPU."""
    torch = pytest.importorskip("torch")
    from btlib.adapters.outputs import NAMED
    from btlib.engines import Subject
    from btlib.engines.engine import ENGINES
    from btlib.thesis.models.network import ModelOutput

    class Net(torch.nn.Module):  # as small as can be, for exporting takes seconds
        def forward(self, images: "torch.Tensor") -> ModelOutput:
            return ModelOutput(images - 0.5, torch.sigmoid(images - 0.5), None)

    engine = ENGINES["onnxruntime"].build(Subject(Net().eval(), NAMED, torch.device("cpu"), "fp32", 32))
    assert engine.device == "cpu"
    assert len(gpu_build) == 2, "once for the parity of the export, once for the engine"
    assert all(providers == ["CPUExecutionProvider"] for providers in gpu_build)
