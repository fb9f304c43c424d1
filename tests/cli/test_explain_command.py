"""`btlib explain`: a trained variant, a foreign case, and what is told of mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from btlib.cases import Work, load_cases
from btlib.cli import app
from btlib.data import load_dataset, write_phantoms
from btlib.explain.maps import Maps
from btlib.protocol import Protocol
from btlib.runs import RunStore
from btlib.splits import make_split
from btlib.thesis.recipe import ThesisRecipe

pytest.importorskip("torch")

FOREIGN = """
from pathlib import Path

import numpy as np

from btlib.adapters import SavedPredictions
from btlib.cases import Prepared, case
from btlib.types import Predictions


class Bright:
    def predict(self, images):
        said = np.clip(images.mean((1, 2, 3), dtype=float) / 3, 0, 0.5)
        return Predictions(None, np.stack([said, said, 1 - 2 * said], axis=1))


@case("bright explained", "by brightness", has_mask=False, has_classes=True, image_size=48, scaling="percentile")
def bright(work):
    assert work.train.image_size == 48
    return Prepared(Bright(), "given")


@case("masks unexplained", "no classes", has_mask=True, has_classes=False)
def masks(work):
    raise AssertionError("not asked")


@case("saved unexplained", "by id", has_mask=False, has_classes=True, image_size=48)
def saved(work):
    return Prepared(SavedPredictions(Path(__file__).with_name("saved.npz")), "given")
"""


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, args)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantoms(tmp_path_factory.mktemp("explain"), 40)


@pytest.fixture
def trained(tmp_path: Path, data: Path) -> Callable[..., Path]:
    """Trains a tiny variant for an epoch; its folder of checkpoints."""

    def go(variant: str, split: str = "slice-seed42") -> Path:
        slices = load_dataset(data, 32)
        recipe = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=1, batch_size=8)
        protocol, checkpoints = Protocol(image_size=32), tmp_path / "ckpt"
        work = Work.on(slices, make_split(split, slices), protocol, recipe, 7, checkpoints, device="cpu")
        load_cases()[variant].prepare(work)
        return tmp_path / "ckpt"

    return go


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of cases; imported once, for their names are taken afterwards."""
    path = tmp_path_factory.mktemp("foreign") / "foreign.py"
    path.write_text(FOREIGN)
    np.savez(path.with_name("saved.npz"), id=np.array(["7"]), class_prob=np.full((1, 3), 1 / 3))
    return path


def test_a_trained_variant(trained: Callable[..., Path], data: Path, tmp_path: Path):
    args = ("F", "--data", data, "--checkpoints", trained("F"), "--out", tmp_path / "run", "--engine", "eager")
    result = run(*args, "--precision", "fp32", "--samples", "1 per class", "--sanity", 1)
    assert result.exit_code == 0, result.output
    explained = RunStore(tmp_path / "run").explained()["F"]
    assert (explained.patch, explained.stride, explained.image_size, explained.fill) == (4, 1, 32, "zero")
    assert {row.part for row in explained.samples} == {"test"}
    assert {(row.engine, row.precision) for row in explained.samples} == {("eager", "fp32")}
    assert explained.sanity.steps[0].layer == "head.out"
    assert json.loads((tmp_path / "run/explain/F.json").read_text())["schema"] == "btlib-explain/2"
    assert Maps.load(tmp_path / "run/explain/F.npz").total.shape[1:] == (32, 32)
    written = {path.name for path in (tmp_path / "run/explain").iterdir()}
    assert written == {"F.json", "F.npz", "F.csv", "F.svg"}
    for words in ("PHANTOM DATA", "As in the thesis", "mass in tumour", "Sanity check", "bootstrap of", "F.svg"):
        assert words in result.stdout
    assert "Note: trained on other samples" not in result.stdout
    again = run(*args, "--precision", "fp32", "--slices", "1 per class")
    assert again.stdout.count("reusing the stored map") == len(explained.samples)
    assert "Sanity check" not in again.stdout


@pytest.mark.filterwarnings("ignore:patient-5fold-1")  # a class is absent from its test samples
def test_other_slices_than_it_was_trained_on_are_noted(trained: Callable[..., Path], data: Path, tmp_path: Path):
    args = ("B", "--data", data, "--checkpoints", trained("B", "patient-5fold-1"), "--out", tmp_path / "run")
    result = run(*args, "--engine", "eager", "--samples", "worst 1", "--patch", 16)
    assert result.exit_code == 0, result.output
    assert "Note: trained on other samples or another split" in result.stdout
    same = run(*args, "--engine", "eager", "--samples", "worst 1", "--patch", 16, "--split", "patient-5fold-1")
    assert "Note" not in same.stdout


def test_a_foreign_case(foreign: Path, data: Path, tmp_path: Path):
    spec = f"{foreign}::bright explained"
    result = run(spec, "--data", data, "--samples", "7,12", "--fill", "mean", "--stride", 6, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    explained = RunStore(tmp_path / "run").explained()["bright explained"]
    assert [row.id for row in explained.samples] == ["7", "12"]
    assert (explained.fill, explained.patch, explained.stride) == ("mean", 6, 6)
    assert (explained.image_size, explained.scaling) == (48, "percentile")
    assert {(row.engine, row.precision, row.deviation) for row in explained.samples} == {
        ("predictor", "as given", None)
    }
    assert explained.identity is None
    refused = run(spec, "--data", data, "--samples", "7", "--out", tmp_path / "run", "--sanity", 1)
    assert refused.exit_code == 2
    assert "only the weights of a PyTorch module can be randomised" in refused.stderr


def test_mistakes_are_told(foreign: Path, data: Path, tmp_path: Path, trained: Callable[..., Path]):
    bright, checkpoints = f"{foreign}::bright explained", trained("A")
    for args, told in (
        ((f"{foreign}::masks unexplained",), "has no classes"),
        ((f"{foreign}::saved unexplained", "--samples", "7"), "saved predictions are found by the ids of samples"),
        ((f"{foreign}::nobody",), "nobody"),
        (("A", "--checkpoints", checkpoints), "case A: has no classes"),
        (("B", "--checkpoints", checkpoints), "contains no trained model of variant B"),
        ((bright, "--samples", "99"), "there is no sample '99'"),
        ((bright, "--samples", "best"), "or give 'worst 5' or '3 per class'"),
        ((bright, "--samples", "7", "--patch", 49), "does not fit a sample of shape (48, 48)"),
        ((bright, "--samples", "7", "--patch", 4, "--stride", 5), "expected a stride of 1…4"),
        ((bright, "--split", "slice-seed41"), "unknown split"),
    ):
        result = run(*args, "--data", data, "--out", tmp_path / "run")
        assert result.exit_code == 2, (args, result.output)
        assert told in result.stderr, (args, result.stderr)
        assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()
