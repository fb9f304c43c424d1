"""Phantoms as a folder with `metadata.csv`: read back, they are the phantoms that were drawn."""

from pathlib import Path

import numpy as np
import pytest

from btlib.data.load import open_source
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.phantom.table import write_phantom_table
from btlib.data.task import Task
from btlib.errors import DataError

TASKS = [
    Task(name="four", classes=("m", "g, é", "p", "no tumour"), structures=("tumour",), synthetic=True),
    Task(name="two", structures=("whole", "core (dark)"), channels=("T1", "FLAIR"), synthetic=True),
    Task(name="labels", classes=("a", "b"), channels=("x", "y", "z", "u"), synthetic=True),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_pixel_class_and_patient_comes_back(task: Task, tmp_path: Path) -> None:
    folder = write_phantom_table(tmp_path / "new" / "scans", task, 14, seed=3, size=40)
    source, drawn = open_source(folder), PhantomSource(task, 14, seed=3, size=40)
    assert source.task == task
    for info, expected in zip(source.samples(), map(drawn.read, drawn.samples()), strict=True):
        found = source.read(info)
        assert (found.label, found.patient) == (expected.label, expected.patient)
        assert np.array_equal(found.image, expected.image)
        assert np.array_equal(found.mask, expected.mask)


def test_a_class_without_a_tumour_has_blank_cells(tmp_path: Path) -> None:
    lines = (write_phantom_table(tmp_path / "a", TASKS[0], 12, size=32) / "metadata.csv").read_text().splitlines()
    assert lines[0] == "file_name,mask:tumour,label,patient"
    assert lines[10] == "images/phantom-10.png,,no tumour,PH0004"
    assert sum(",," in line for line in lines) == 3


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="mine: exists already\nHint: choose a new folder"):
        write_phantom_table(tmp_path / "mine", TASKS[0], 3)
    with pytest.raises(DataError, match="expected a simulated task"):
        write_phantom_table(tmp_path / "new", TASKS[0].model_copy(update={"synthetic": False}), 3)
    with pytest.raises(DataError, match="phantoms: n: expected a whole number from 1"):
        write_phantom_table(tmp_path / "new", TASKS[0], 0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
