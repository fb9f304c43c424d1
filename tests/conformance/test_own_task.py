"""`btlib check --data FOLDER`: phantoms of the folder's task, and the real samples for saved predictions alone."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from btlib.adapters import CallablePredictor, save_predictions
from btlib.cases import CASES, Work, load_case, load_cases
from btlib.cli import app
from btlib.conformance import check_case, make_subject
from btlib.conformance.subject import phantoms_of
from btlib.data import load_dataset
from btlib.data.sources.phantom.table import write_phantom_table
from btlib.data.task import Task
from btlib.errors import BtlibWarning
from btlib.types import Predictions

TASK = Task(
    name="mine",
    classes=("a", "b", "c", "no tumour"),
    structures=("whole", "core"),
    channels=("T1", "FLAIR"),
    synthetic=True,
)
FILE = """
import numpy as np

from btlib.adapters import SavedPredictions
from btlib.cases import Case, Prepared, case
from btlib.types import Predictions

seen = []


class Model:
    def predict(self, images):
        peak = np.abs(images).max(axis=(2, 3), keepdims=True) + 1e-6
        share = images[:, 0].mean(axis=(1, 2)) / peak[:, 0, 0, 0]
        return Predictions(images / peak, np.stack([share, share / 2, share / 4, 1 - 1.75 * share], axis=1))


@case("fits", "for this task", has_mask=True, has_classes=True, scaling="percentile")
def fits(work):
    seen.append(work)
    return Prepared(Model(), "given")


@case("three", "for Figshare", has_mask=True, has_classes=True, scaling="percentile")
def three(work):
    model = lambda images: Predictions(images[:, :1], np.full((len(images), 3), 1 / 3))
    return Prepared(type("M", (), {"predict": staticmethod(model)})(), "given")


@case("saved", "from a file", has_mask=True, has_classes=True, image_size=48)
def saved(work):
    seen.append(work)
    return Prepared(SavedPredictions("said.npz"), "given")


@case("chosen", "from a file, with a threshold", has_mask=True, has_classes=True, image_size=48)
def chosen(work):
    from btlib.evaluation import best_threshold

    predictor = SavedPredictions("said.npz")
    return Prepared(predictor, "given", threshold=best_threshold(predictor, work.val))


@case("even", "claims any size", has_mask=True, has_classes=False, any_size=True)
def even(work):
    model = lambda x: Predictions(np.clip(x[:, :, ::2, ::2].repeat(2, axis=2).repeat(2, axis=3), 0, 1), None)
    return Prepared(type("M", (), {"predict": staticmethod(model)})(), "given")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    known = dict(load_cases()._items)
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(FILE)
    yield write_phantom_table(tmp_path / "scans", TASK, 30, size=40)
    CASES._items.clear()
    CASES._items.update(known)


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def works(spec: str) -> list[Work]:
    """What a case of the file was prepared with."""
    seen: list[Work] = vars(sys.modules[load_case(spec).module])["seen"]
    return seen


def failed(case: str, folder: Path, **options: object) -> dict[str, str]:
    results = check_case(load_case(f"mine.py::{case}"), folder, "cpu", **options)
    return {result.check: result.message for result in results if result.outcome == "fail"}


def test_a_case_for_the_task_passes_and_gets_what_a_run_gives(folder: Path) -> None:
    result = run("check", "mine.py::fits", "--data", folder, "--image-size", 56)
    assert result.exit_code == 0, result.output
    for work in works("mine.py::fits"):
        assert work.task == TASK
        assert work.train.images.shape[1:] == (2, 56, 56)
        assert work.train.masks.shape[1:] == (2, 56, 56)
        assert set(work.train.labels.tolist()) == {0, 1, 2, 3}
        assert "phantom" in work.train.ids[0]
        assert "images/" not in work.train.ids[0]  # these are no samples of the folder
        assert 0 < (~work.train.has_structure(np.arange(len(work.train)))).sum() < len(work.train)
        assert work.device == "auto"


def test_a_case_for_another_task_says_what_this_one_has(folder: Path) -> None:
    found = failed("three", folder, image_size=48)
    assert list(found) == ["shapes", "empty input"]
    assert "mask_prob: expected shape (6, 2, 48, 48), got (6, 1, 48, 48)" in found["shapes"]
    assert "2 masks [h, w] and 4 classes for each image" in found["shapes"]


def test_without_a_size_images_are_those_of_the_tier_full(folder: Path, tmp_path: Path) -> None:
    subject = make_subject(load_case("mine.py::fits"), tmp_path, folder)
    assert subject.images.shape == (6, 2, 256, 256)
    assert make_subject(load_case("mine.py::saved"), tmp_path, folder).images.shape[2:] == (48, 48)


@pytest.mark.parametrize("classes", [0, 1, 40])
def test_phantoms_have_samples_of_every_class(classes: int) -> None:
    task = Task(name="x", classes=tuple(f"class {k}" for k in range(classes)), structures=("s",))
    source = phantoms_of(task, 512)
    labels = [info.label for info in source.samples()]
    assert set(labels) == (set(range(classes)) or {None})
    assert source.task.synthetic
    assert (source.size, len(labels) >= 40) == (256, True)


def said(folder: Path, positions: np.ndarray | None = None) -> None:
    """Predictions of the folder's samples at 48 px, in a file."""
    flat = CallablePredictor(
        lambda x: Predictions(np.full((len(x), 2, 48, 48), 0.4), np.full((len(x), 4), 0.25)), layout="nchw"
    )
    save_predictions("said.npz", load_dataset(folder, 48, "percentile"), flat, positions)


@pytest.mark.parametrize("case", ["saved", "chosen"])
def test_saved_predictions_are_looked_up_for_the_real_samples(case: str, folder: Path) -> None:
    said(folder)
    assert failed(case, folder) == {}


def test_saved_predictions_must_be_of_all_test_samples_of_the_split(folder: Path) -> None:
    said(folder, np.arange(3))
    with pytest.warns(BtlibWarning, match="no test sample of class"):
        found = failed("saved", folder, split="patient-5fold-1")
    assert list(found) == ["predict"]
    assert "test samples of the split patient-5fold-1: " in found["predict"]


def test_saved_predictions_of_other_samples_are_refused(folder: Path) -> None:
    said(folder)
    lines = (folder / "metadata.csv").read_text().splitlines()
    (folder / "metadata.csv").write_text("\n".join(lines[:-2]))
    found = failed("saved", folder)
    assert "has predictions for 2 samples that are not among the 28 of the data set: images/" in found["predict"]


def test_odd_sizes_fail_a_case_that_claims_them(folder: Path) -> None:
    found = failed("even", folder, image_size=48)
    assert list(found) == ["odd sizes"]
    assert "images of 47×33: mask_prob: expected shape" in found["odd sizes"]
    assert "leave out any_size=True in @case" in found["odd sizes"]


def test_a_variant_that_needs_classes_says_so(folder: Path, tmp_path: Path) -> None:
    masks = write_phantom_table(tmp_path / "masks", TASK.model_copy(update={"classes": ()}), 20, size=40)
    result = run("check", "F", "--data", masks)
    assert result.exit_code == 1
    assert "case F: the case predicts classes, but the task 'mine' has none" in result.output
