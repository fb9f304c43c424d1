"""`btlib export`: which trained model is meant, and no file unless all is well."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from btlib import files
from btlib.adapters import OnnxPredictor
from btlib.cases import Work, load_cases
from btlib.cli import app
from btlib.data.dataset import Dataset
from btlib.protocol import Protocol
from btlib.splits import slice_seed42
from btlib.thesis.recipe import ThesisRecipe

pytestmark = pytest.mark.nightly


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, args)])


@pytest.fixture
def train(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Callable[..., Path]:
    """Trains a variant into `checkpoints`, and gives its file."""

    def go(variant: str, seed: int = 7) -> Path:
        recipe = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=1, batch_size=8)
        data, protocol = make_dataset(12), Protocol(image_size=32)
        work = Work.on(data, slice_seed42(12), protocol, recipe, seed, tmp_path / "checkpoints", device="cpu")
        return tmp_path / "checkpoints" / load_cases()[variant].prepare(work).details["checkpoint"]

    return go


def test_the_one_trained_model_is_found(train: Callable[..., Path], tmp_path: Path):
    path = train("A")
    result = run("A", "--to", "onnx", tmp_path / "a.onnx", "--bt-checkpoints", path.parent)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{path}: trained ")
    assert "on 8 phantom samples of 32 px probabilities differ by at most" in result.stdout
    assert "Dice of a sample by at most" in result.stdout
    assert OnnxPredictor(tmp_path / "a.onnx").names == ["mask_prob"]


def test_of_several_one_must_be_chosen(train: Callable[..., Path], tmp_path: Path):
    paths = [train("B", seed) for seed in (1, 2)]
    result = run("B", tmp_path / "b.onnx", "--checkpoints", paths[0].parent)
    assert result.exit_code == 2
    assert "contains 2 trained models of variant B" in result.stderr
    for seed, path in enumerate(paths, start=1):
        assert f"{path} (recipe test, 1 epochs, 32 px, seed {seed})" in result.stderr
    assert "choose one with --checkpoint" in result.stderr
    assert not (tmp_path / "b.onnx").exists()
    assert run("B", tmp_path / "b.onnx", "--checkpoint", paths[1]).exit_code == 0
    assert OnnxPredictor(tmp_path / "b.onnx").names == ["class_prob"]


def test_what_is_refused_leaves_no_file(train: Callable[..., Path], tmp_path: Path):
    path, out = train("B"), tmp_path / "out.onnx"
    for args, message in (
        (("b", out), "did you mean 'B'?"),
        (("A", out, "--checkpoints", path.parent), "contains no trained model of variant A"),
        (("A", out, "--checkpoint", path), "contains variant B, expected A"),
        (("B", out, "--checkpoint", tmp_path / "nix.ckpt"), "is missing, is damaged"),
        (("B", out, "--to", "tflite"), "tflite"),
    ):
        result = run(*args)
        assert result.exit_code == 2, args
        assert message in result.stderr
    path.write_bytes(path.read_bytes()[:-1])
    assert "is missing, is damaged" in run("B", out, "--checkpoint", path).stderr
    assert not out.exists()


def test_tensors_of_another_architecture(train: Callable[..., Path], tmp_path: Path):
    manifest = (path := train("B")).with_suffix(".json")
    known = files.read_sealed(manifest)
    known["ingredients"]["recipe"]["backbone"] = "resnet50"
    files.write_json(manifest, files.sealed(known))
    result = run("B", tmp_path / "b.onnx", "--checkpoint", path)
    assert result.exit_code == 2
    assert "does not fit the current code of the variant" in result.stderr


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "torch", None)
    for room in ("adapters.export", "adapters.torch", "adapters.devices"):
        monkeypatch.delitem(sys.modules, f"btlib.{room}", raising=False)
    result = run("A", tmp_path / "a.onnx")
    assert result.exit_code == 2
    assert "pip install 'btlib[torch]'" in result.stderr
