"""A–G on tasks of a user: four classes with empty masks, and two structures on two channels without classes."""

from collections.abc import Callable
from pathlib import Path

import pytest

import btlib
from btlib.api import Finished
from btlib.data.sources.phantom.table import write_phantom_table
from btlib.data.task import Task
from btlib.protocol import Recipe
from btlib.results import CaseResult
from btlib.runs import RunStore
from btlib.thesis.recipe import ThesisRecipe

FOUR = Task(
    name="four",
    classes=("meningioma", "glioma", "pituitary", "no tumour"),
    structures=("tumour",),
    synthetic=True,
)
TWO = Task(name="two", structures=("whole", "core"), channels=("T1", "FLAIR"), synthetic=True)
BOTH = Task(name="both", classes=("a", "no b"), structures=TWO.structures, channels=TWO.channels, synthetic=True)
LABELS = Task(name="labels", classes=("a", "b", "c"), channels=("1", "2", "3", "4"), synthetic=True)
Run = Callable[..., Finished]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs cases on a folder of phantoms of a task, with the smallest recipe."""
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))

    def go(task: Task, cases: str, recipe: Recipe | None = None) -> Finished:
        folder = write_phantom_table(tmp_path / task.name, task, 60, size=40)
        quick = recipe or Recipe(name="test", quick=True, epochs=1, batch_size=8)
        places = {"root": tmp_path, "output": tmp_path / "out", "checkpoints": tmp_path / "models"}
        how = {"image_size": 32, "scaling": "percentile", "no_tune": True, "device": "cpu", "engine": "eager"}
        return btlib.run(list(cases), folder, recipe=quick, **how, **places)

    return go


def results(finished: Finished) -> dict[str, str | CaseResult]:
    return {record.case: record.error or record for record in RunStore(finished.folder).records()}


@pytest.mark.parametrize("task", [FOUR, BOTH], ids=lambda task: task.name)
def test_all_variants_are_measured(task: Task, run: Run) -> None:
    finished = run(task, "ABCDEFG")
    assert finished.exit_code == 0
    found = results(finished)
    assert sorted(found) == list("ABCDEFG")
    for name, record in found.items():
        assert not isinstance(record, str), record
        table = record.samples
        assert (table.has_mask, table.has_classes) == (name != "B", name != "A")
        assert (table.structures, table.classes) == (list(task.structures), list(task.classes))
        assert set(record.metrics) == {"A": {"dice"}, "B": {"accuracy"}}.get(name, {"dice", "accuracy"})
        empty = [area == 0 for area in table.columns[f"{task.structures[0]}/truth_area"]]
        assert any(empty)  # a class without a tumour is tested
        assert not all(empty)


def test_without_classes_a_works_and_the_others_say_what_they_need(run: Run) -> None:
    finished = run(TWO, "ABCF")
    found = results(finished)
    assert not isinstance(found["A"], str), found["A"]
    assert found["A"].samples.structures == ["whole", "core"]
    for name in "BCF":
        assert f"case {name}: the case predicts classes, but the task 'two' has none\nHint" in found[name]
    assert finished.exit_code == 7


def test_without_structures_b_works_and_is_augmented(run: Run) -> None:
    recipe = ThesisRecipe("test", backbone="tiny", weights="none", epochs=2, batch_size=8, augment=True, keep="best")
    found = results(run(LABELS, "BD", recipe))
    assert not isinstance(found["B"], str), found["B"]
    assert found["B"].samples.classes == ["a", "b", "c"]
    assert "the case predicts masks, but the task 'labels' has none" in found["D"]
