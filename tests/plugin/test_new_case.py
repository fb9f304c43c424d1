"""A model of one's own, brought by a file: measured alone, held against the baseline's cases on the same samples."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.gate.verdict import COULD_NOT_JUDGE
from btlib.runs import RunStore

Run = Callable[..., pytest.RunResult]
Latest = Callable[[], Path]

FILE = """
import numpy as np
from known_truth import Truth

from btlib.cases import Prepared, case
from btlib.types import Predictions


class Model:
    def __init__(self, how):
        self.truth, self.how = Truth(), how

    def predict(self, images):
        if self.how == "crash":
            raise ZeroDivisionError("by chance")
        masks, labels, _ = self.truth.of(images)
        prob = np.eye(3)[labels]
        if self.how == "constant":
            masks, prob = np.full_like(masks, 0.9), np.tile([0.1, 0.8, 0.1], (len(images), 1))
        if self.how == "random":
            rng = np.random.default_rng(0)
            masks, prob = rng.random(masks.shape), rng.dirichlet((1, 1, 1), len(images))
        if self.how == "shape":
            masks = masks[:, :, :-1]
        if self.how == "nan":
            prob = prob * np.nan
        if self.how == "outside":
            masks = masks * 3
        if self.how == "other samples":
            masks = np.roll(masks, 1, axis=0)
        return Predictions(masks, prob)


def add(how, **more):
    @case("my " + how, "of my own", has_mask=True, has_classes=True, **more)
    def prepare(work):
        assert (work.train.image_size, work.train.scaling) == (
            more.get("image_size", 32), more.get("scaling", "thesis")
        )
        return Prepared(Model(how), "given")


for how in ("perfect", "constant", "random", "shape", "nan", "outside", "other samples", "crash"):
    add(how)
add("sized", image_size=48, scaling="percentile")
"""


@pytest.fixture
def mine(accepted: Run, pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Measures cases of my own file."""
    (pytester.path / "mine.py").write_text(FILE)

    def run(*names: str, options: tuple[str, ...] = ()) -> pytest.RunResult:
        specs = [f"--bt-case=mine.py::my {name}" for name in names]
        return accepted(*specs, "--benchmark-disable", *options, select=None)

    return run


def test_it_alone_is_measured_and_stands_beside_the_others(
    mine: Callable[..., pytest.RunResult], latest: Latest, pytester: pytest.Pytester
):
    result = mine("perfect")
    assert result.ret == 0
    assert not (pytester.path / "prepared.txt").exists()  # the baseline's cases are not run again
    assert [record.case for record in RunStore(latest()).records()] == ["my perfect"]
    rankings = json.loads((latest() / "comparison.json").read_text())["rankings"]
    assert {(s["reference"], s["metric"], s["status"], s["rank"], s["of"]) for s in rankings} == {
        (reference, metric, "pass", 1, 3) for reference in ("toy1", "toy2") for metric in ("dice", "accuracy")
    }
    text = (latest() / "comparison.md").read_text()
    assert "## New cases compared with the baseline's cases" in text


@pytest.mark.parametrize("name", ["constant", "random", "other samples"])
def test_models_that_know_nothing_get_the_verdict_they_deserve(mine: Callable[..., pytest.RunResult], name: str):
    result = mine(name)
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"case my {name}, dice compared with toy?: REGRESSED"])


def test_each_fault_is_one_failed_case_and_the_others_finish(mine: Callable[..., pytest.RunResult], latest: Latest):
    told = {
        "shape": "mask_prob: expected shape (8, 1, 32, 32), got (8, 1, 31, 32)",
        "nan": "class_prob: 24 of 24 values are not finite",
        "outside": "mask_prob: expected probabilities in 0…1, got the values 0, 3",
        "crash": "ZeroDivisionError: by chance",
    }
    result = mine(*told, "perfect")
    assert result.ret == COULD_NOT_JUDGE
    records = {record.case: record for record in RunStore(latest()).records()}
    for name, text in told.items():
        assert records[f"my {name}"].outcome == "error"
        assert text in records[f"my {name}"].error
    assert records["my perfect"].outcome == "done"


def test_a_size_and_scaling_of_its_own(mine: Callable[..., pytest.RunResult], latest: Latest):
    """It sees its own samples, and is scored on the same pixels as all others."""
    result = mine("sized")
    assert result.ret == 1, "an edge at 48 pixels is not quite where it is at 32"
    result.stdout.fnmatch_lines(["case my sized, dice compared with toy1: REGRESSED"])
    (record,) = RunStore(latest()).records()
    assert record.outcome == "done"
    assert (record.conditions.image_size, record.conditions.scaling) == (32, "thesis")
    assert record.summary["dice"]["slice_mean"] == pytest.approx(0.934, abs=0.001)
    assert record.summary["accuracy"]["slice_mean"] == 1


def test_references_by_name(mine: Callable[..., pytest.RunResult], latest: Latest):
    assert mine("perfect", options=("--bt-against=toy2",)).ret == 0
    rankings = json.loads((latest() / "comparison.json").read_text())["rankings"]
    assert {s["reference"] for s in rankings} == {"toy2"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--bt-case=nowhere.py::x"], "*nowhere.py: the file does not exist*"),
        (["--bt-case=mine.py::my perfekt"], "*unknown case 'my perfekt'*"),
        (
            ["--bt-case=mine.py::my perfect", "--bt-against=toy3"],
            "*--bt-against: unknown case of the baseline 'toy3'*",
        ),
    ],
)
def test_bad_names_are_told_before_anything_runs(accepted: Run, pytester: pytest.Pytester, options, told: str):
    (pytester.path / "mine.py").write_text(FILE)
    result = accepted(*options, select=None)
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])
    assert "Traceback" not in result.stderr.str()


UNEXPLAINED = """
import numpy as np

from btlib.adapters import SavedPredictions
from btlib.cases import Prepared, case
from btlib.types import Predictions


@case("by id", "saved", has_mask=False, has_classes=True)
def by_id(work):
    np.savez("said.npz", id=np.arange(1, 41).astype(str), class_prob=np.full((40, 3), 1 / 3))
    return Prepared(SavedPredictions("said.npz"), "given")


class Masks:
    def predict(self, images):
        return Predictions(np.clip(images, 0, 1), None)


@case("masks", "no classes", has_mask=True, has_classes=False)
def masks(work):
    return Prepared(Masks(), "given")
"""


def test_what_cannot_be_explained_says_why(accepted: Run, latest: Latest, pytester: pytest.Pytester):
    (pytester.path / "other.py").write_text(UNEXPLAINED)
    result = accepted("--bt-case=other.py::by id", "--bt-case=other.py::masks", "-rs", select="test_maps")
    assert result.parseoutcomes()["skipped"] == 2
    result.stdout.fnmatch_lines(["*case masks has no classes to explain"])
    result.stdout.fnmatch_lines(["*case by id has saved predictions, but none for samples with a hidden patch"])
    assert not (latest() / "explain").exists()


def test_without_a_baseline_it_is_measured_and_nothing_is_judged(project: Run, latest: Latest):
    """Whatever the tier's own baseline is, and on few samples too; what cannot be measured still fails."""
    options = ("--benchmark-disable", "--bt-baseline=none", "--bt-limit=30")
    result = project(*options, select="toy and quality", toy2="bad")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*no comparison, as requested*", "*btlib smoke without comparison*", "toy1 a toy*measured*1.0000*"]
    )
    assert "measured" in (latest() / "comparison.md").read_text()
    assert "not written" not in result.stdout.str()
    broken = project(*options, select="quality and toy1", toy1="nan")
    assert broken.ret == COULD_NOT_JUDGE
    again = project(
        "--benchmark-disable", "-m", "full", "--bt-baseline=none", "--bt-limit=30", select="toy1 and quality"
    )
    assert again.ret == 0


@pytest.mark.parametrize("option", ["--bt-against=toy1", "--bt-strict"])
def test_what_needs_a_baseline_is_refused_without_one(option: str, project: Run):
    result = project("--benchmark-disable", "--bt-baseline=none", option, select="toy1 and quality")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*with --bt-baseline none: this option needs a baseline*"])
