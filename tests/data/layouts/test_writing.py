"""The written table and task are read as what they were, whatever the names are."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btlib.data.layouts.writing import table_text, toml_text
from btlib.data.sources.table.metadata import Table, outside, read_table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import TaskFile, read_task_file
from btlib.errors import DataError

from .conftest import Make, pixels, run

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
cells = texts.map(str.strip).filter(lambda text: text and text.isprintable())
names = cells.filter(lambda name: outside(name) is None and Path(name).as_posix() == name and "|" not in name)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    files = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    structures = tuple(draw(st.lists(cells.filter(str.isalnum), max_size=2, unique=True)))
    channels = tuple(draw(st.lists(cells.filter(str.isalnum), max_size=2, unique=True)))
    labels, patients, slices = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    rows = tuple(
        Row(
            number,
            file,
            tuple(draw(st.one_of(st.just(""), names)) for _ in structures or [""]),
            draw(cells) if labels else "",
            draw(cells) if patients else "",
            f"V{number}" if slices else "",
            slice=draw(st.integers(0, 99)) if slices else None,
            axis=draw(st.sampled_from([None, 0, 2])) if slices else None,
            channels=tuple(draw(names) for _ in channels),
        )
        for number, file in enumerate(files, start=2)
    )
    return Table(rows, structures, not structures, labels, channels)


@given(tables())
@settings(max_examples=60, deadline=None)
def test_a_table_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, table: Table) -> None:
    path = tmp_path_factory.mktemp("t") / "metadata.csv"
    path.write_text(table_text(table), encoding="utf-8", newline="")
    assert read_table(path) == table


@given(
    st.builds(
        TaskFile,
        name=texts,
        classes=st.lists(texts, max_size=3).map(tuple),
        spacing_mm=st.one_of(st.none(), st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))),
        root=st.one_of(st.none(), texts),
        independent=st.booleans(),
        mask_values=st.dictionaries(texts, st.one_of(st.integers(0, 9), st.tuples(st.integers(0, 9))), max_size=3),
        gate=st.dictionaries(texts, st.floats(0.001, 1), max_size=2),
    )
)
@settings(max_examples=60, deadline=None)
def test_a_task_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, task: TaskFile) -> None:
    folder = tmp_path_factory.mktemp("t")
    (folder / "task.toml").write_text(toml_text(task), encoding="utf-8", newline="")
    assert read_task_file(folder) == task


def test_an_existing_folder_is_not_touched_by_a_failed_import(make: Make, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"found one class only|lies in no folder"):
        run("class-folders", make({"a/1.png": pixels(0)}))
    assert not list((tmp_path / "out").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]
