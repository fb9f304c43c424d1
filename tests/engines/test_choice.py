"""The guard's bounds, the samples it looks at, the order of attempts, and under what a converted model is kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from btlib.adapters.torch import TorchPredictor
from btlib.data.dataset import Dataset, Samples
from btlib.engines import choose as choose_room
from btlib.engines import eager, onnxruntime, openvino, openvino_int8
from btlib.engines.engine import ENGINES, Engine, Subject, engine_names
from btlib.errors import ModelError, OptionError
from btlib.evaluation.aggregate import per_sample
from btlib.speed import memory

Make = Callable[..., Subject]
room: Any = choose_room
if not hasattr(room, "too_far"):  # the package gives the function of this name
    import sys

    room = sys.modules["btlib.engines.choose"]


@pytest.mark.parametrize(
    ("found", "passes"),
    [
        ({"dice_gap": 0.002}, True),
        ({"dice_gap": 0.0021}, False),
        ({"agreement": 0.995}, True),
        ({"agreement": 0.9949}, False),
        ({"dice_gap": 0.002, "agreement": 0.995}, True),
        ({"dice_gap": 0.002, "agreement": 0.9}, False),
        ({"dice_gap": 0.01, "agreement": 1.0}, False),
        ({"dice_gap": float("nan"), "agreement": 1.0}, False),
    ],
)
def test_the_bounds_of_the_guard(found: dict[str, float], passes: bool) -> None:
    assert (room.too_far({"samples": 1, **found}) is None) is passes


def test_gaps_are_of_the_mean_dice_either_way_and_of_equal_classes(make_table: Callable[..., Any]) -> None:
    good, worse = make_table(60), make_table(60, worse=0.1, wrong=15)
    one, other = room.gaps(good, worse), room.gaps(worse, good)
    assert one == other
    assert one["dice_gap"] == pytest.approx(per_sample(good, "dice").mean() - per_sample(worse, "dice").mean())
    assert one["agreement"] == 0.75
    assert room.gaps(make_table(6, classes=False), make_table(6, classes=False)).keys() == {"samples", "dice_gap"}
    assert room.gaps(make_table(6, mask=False), make_table(6, mask=False)).keys() == {"samples", "agreement"}


@pytest.mark.parametrize(
    ("names", "precision", "attempts"),
    [
        (["openvino", "eager"], "fp32", [("openvino", "fp32"), ("eager", "fp32")]),
        (["openvino", "eager"], "bf16", [("openvino", "bf16"), ("eager", "bf16"), ("eager", "fp32")]),
        (["openvino"], "bf16", [("openvino", "bf16"), ("openvino", "fp32")]),
        (["openvino-int8"], "bf16", [("openvino-int8", "int8")]),
    ],
)
def test_each_engine_is_tried_in_the_precision_that_is_wanted_and_the_last_in_fp32(
    names: list[str], precision: Any, attempts: list[tuple[str, str]]
) -> None:
    assert room._attempts(names, precision) == attempts


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch, make_table: Callable[..., Any]) -> list[Any]:
    """Scores nothing: what was asked to be scored, and on which samples."""
    found: list[Any] = []

    def evaluate(predictor: Any, samples: Samples, *, threshold: float) -> Any:
        found.append((predictor, samples.ids.tolist(), threshold))
        return SimpleNamespace(samples=make_table(6))

    monkeypatch.setattr(room, "evaluate", evaluate)
    return found


def test_the_first_64_of_the_samples_are_looked_at_with_the_mask_s_threshold(
    subject: Make, make_dataset: Callable[..., Dataset], scored: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, built = (
        replace(subject("D"), precision="bf16", calibration=lambda: np.zeros((5, 1, 4, 4), np.float32)),
        list[Subject](),
    )
    monkeypatch.setattr(Engine, "build", lambda self, one: built.append(one) or f"built by {self.name}")  # type: ignore[func-returns-value]
    samples = make_dataset(100).part(np.arange(100)[::-1])
    chosen = room.choose(given, "eager", samples, 0.25)
    (plain, *first), second = scored
    assert first == [samples.ids[:64].tolist(), 0.25]
    assert second == ("built by eager", samples.ids[:64].tolist(), 0.25)
    assert isinstance(plain, TorchPredictor)
    assert (plain.precision, plain.device, plain.outputs) == ("fp32", given.device, given.outputs)
    assert plain.model is not given.model, "a copy, for it is moved about"
    assert [one.precision for one in built] == ["bf16"]
    assert (chosen.predictor, chosen.engine, chosen.notes) == ("built by eager", "eager", ())
    guard = {"samples": 6, "dice_gap": 0.0, "agreement": 1.0}
    assert chosen.details == {"engine": "eager", "precision": "bf16", "guard": guard}
    quantised = room.choose(given, "openvino-int8", samples, 0.25)
    assert built[-1] is given
    assert quantised.details["calibration_samples"] == 5
    assert quantised.details["precision"] == "int8"


def test_what_an_engine_that_failed_took_is_given_back(
    subject: Make, slices: Dataset, scored: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, error, lines = Mock(), ModelError("no compiler here"), list[str]()
    monkeypatch.setattr(memory, "release", release)
    monkeypatch.setattr(Engine, "build", Mock(side_effect=error))
    with pytest.raises(ModelError, match="eager in fp32 was skipped: no compiler here"):
        room.choose(subject("D"), "eager", slices, 0.5, lines.append)
    release.assert_called_once_with(error)
    assert lines == ["engine eager in fp32 was skipped: no compiler here"]


def test_engines_and_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine_names() == ("auto", "openvino", "compile", "onnxruntime", "eager", "openvino-int8")
    here = {
        kind: [name for name in ENGINES if ENGINES[name].fits(torch.device(kind))] for kind in ("cpu", "cuda", "mps")
    }
    assert here == {"cpu": [*engine_names()[1:]], "cuda": ["compile", "eager"], "mps": ["eager"]}
    assert [name for name in ENGINES if ENGINES[name].quantised] == ["openvino-int8"]
    absent = {"onnx"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in absent else name)
    assert not ENGINES["onnxruntime"].fits(torch.device("cpu"))
    assert (ENGINES["onnxruntime"].extra, ENGINES["openvino"].extra) == ("onnx", None)
    absent.update({"openvino", "nncf"})
    assert (ENGINES["openvino"].extra, ENGINES["openvino-int8"].extra) == ("openvino", "int8")


def test_an_engine_that_does_not_fit_names_those_that_do(subject: Make, slices: Dataset) -> None:
    gpu = replace(subject("D"), device=torch.device("cuda"))
    with pytest.raises(OptionError, match=r"'openvino' cannot run on cuda(.|\n)*choose one of: auto, compile, eager$"):
        room.choose(gpu, "openvino", slices, 0.5)


def test_onnx_runtime_is_exported_once_and_held_to_images_of_the_models_size(
    subject: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = Mock(side_effect=lambda plain, path, images, masks: path.write_text("file"))
    made = Mock()
    monkeypatch.setattr(onnxruntime, "export_onnx", export)
    monkeypatch.setattr(onnxruntime, "OnnxPredictor", made)
    given = replace(subject("D"), image_size=48)
    for _ in range(2):
        onnxruntime.build(given)
    ((plain, _, images, masks),) = (call.args for call in export.call_args_list)
    assert (plain.precision, plain.device) == ("fp32", torch.device("cpu"))
    assert plain.model is not given.model
    assert images.shape == (2, 1, 48, 48)
    assert (masks.shape, masks.dtype) == ((2, 1, 48, 48), bool)
    assert 0.4 < masks.mean() < 0.6, "neither empty nor full, so that their Dice tells something"
    first, second = (call.args[0] for call in made.call_args_list)
    assert first == second
    assert first.parent.parent == given.cache
    made.assert_called_with(first, providers=["CPUExecutionProvider"])


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """In place of OpenVINO: a program is text, its weights lie beside it."""

    def save(program: str, path: Path, *, compress_to_fp16: bool) -> None:
        assert not compress_to_fp16
        path.with_suffix(".bin").write_text(f"weights of {program}")
        path.write_text(program)

    found = SimpleNamespace(save_model=save, __version__="1")
    core = SimpleNamespace(read_model=lambda path: (path.read_text(), path.with_suffix(".bin").read_text()))
    monkeypatch.setattr(openvino.extras, "openvino", lambda: found)  # type: ignore[attr-defined]
    monkeypatch.setattr(openvino.extras, "openvino_core", lambda: core)  # type: ignore[attr-defined]
    return found


def test_a_program_and_its_weights_are_read_as_they_were_saved(subject: Make, converter: Any) -> None:
    for _ in range(2):
        made = openvino.stored_program(subject("D"), "kind", ("1",), lambda: "program")
        assert made == ("program", "weights of program")
    for alone in (replace(subject("D"), identity=None), replace(subject("D"), cache=None)):
        assert openvino.stored_program(alone, "kind", ("1",), lambda: "anew") == "anew"


def test_a_quantised_program_depends_on_the_calibration_slices_themselves(
    subject: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Mock(return_value="program")
    monkeypatch.setattr(openvino, "stored_program", kept)
    monkeypatch.setattr(openvino, "versions", lambda: ("1", "2"))
    monkeypatch.setattr(openvino_int8.metadata, "version", lambda name: f"{name} 3")  # type: ignore[attr-defined]
    built = Mock()
    monkeypatch.setattr(openvino, "predictor", built)
    one = np.random.default_rng(0).random((4, 8, 8), dtype=np.float32)
    two = one.copy()
    two[3, 7, 7] += 1
    seen = []
    for calibration in (one, two, one[::-1], one.copy()):
        openvino_int8.build(replace(subject("D"), calibration=lambda found=calibration: found))  # type: ignore[misc]
        _, kind, depends_on, _ = kept.call_args.args
        assert kind == "openvino-int8"
        assert depends_on[:5] == ("ends in fp32", "1", "2", "nncf 3", 4)
        seen.append(depends_on)
    assert len(set(seen)) == 3, "as many samples, but not the same"
    assert seen[0] == seen[3]
    assert built.call_args.args[1:] == ("program", "f32")


def test_only_what_holds_convolutions_is_rounded_to_bf16(subject: Make) -> None:
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        given = subject("F", precision)
        model: Any = eager.folded(given)
        kinds = {
            part: {p.dtype for p in getattr(model, part).parameters()}
            for part in ("backbone", "decoder", "head", "coupling")
        }
        assert kinds == {"backbone": {dtype}, "decoder": {dtype}, "head": {torch.float32}, "coupling": {torch.float32}}
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.backbone.modules())
        assert not model.training
        assert any(
            isinstance(module, torch.nn.BatchNorm2d) for module in given.model.get_submodule("backbone").modules()
        )
        weights = [p for p in model.backbone.parameters() if p.dim() == 4 and p.shape[1] > 1 and p.shape[2] > 1]
        assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
