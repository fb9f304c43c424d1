"""Writing of a folder with `metadata.csv` and `task.toml`, atomically."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from btlib.data.faults import joined
from btlib.data.sources.table.folder_files import FolderFiles
from btlib.data.sources.table.metadata import Table, outside
from btlib.data.sources.table.row import TABLE, Row
from btlib.data.sources.table.source import TableSource
from btlib.data.sources.table.task_file import FILE, TaskFile
from btlib.data.sources.tasks import BUILT_IN
from btlib.errors import DataError, MissingExtraError, OptionError
from btlib.files import atomic_folder

_HINT = "repair the source folder and import it again"


@dataclass(frozen=True)
class Content:
    """Content of a folder to write.

    Attributes:
        table: Rows with file names relative to the source folder. Row numbers are ignored, and parts that are no split.
        task: Content of `task.toml`, without `root`.
        notes: What was found or left out, for the user.
    """

    table: Table
    task: TaskFile
    notes: tuple[str, ...] = ()


def table_text(table: Table) -> str:
    """Return the table as the text of `metadata.csv`; columns that are blank in all rows are left out."""
    names = [f"channel:{name}" for name in table.channels]
    masks = ["mask"] if table.has_mask else [f"mask:{name}" for name in table.structures]
    facts = {"label": "label", "patient": "patient", "volume": "volume", "split": "part", "slice": "slice"}
    facts |= {"axis": "axis"}
    used = {column: field for column, field in facts.items() if any(_is_set(row, field) for row in table.rows)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file_name", *names, *masks, *used])
    for row in table.rows:
        cells = [getattr(row, field) for field in used.values()]
        writer.writerow([row.file, *row.channels, *row.masks, *("" if cell is None else cell for cell in cells)])
    return text.getvalue()


def _is_set(row: Row, field: str) -> bool:
    return getattr(row, field) not in ("", None)


def toml_text(task: TaskFile) -> str:
    """Return a task as the text of `task.toml`; fields with their defaults are left out."""
    given = {name: value for name, value in task.model_dump(exclude_defaults=True).items() if value is not None}
    tables = {name: value for name, value in given.items() if isinstance(value, dict)}
    lines = [f"{name} = {_toml(value)}" for name, value in given.items() if name not in tables]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{_toml(key)} = {_toml(value)}" for key, value in table.items())]
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    """Return a text, number, truth value or list in TOML, whose texts are those of JSON but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def task_name(asked: str | None, folder: Path) -> str:
    """Return the name of a task: what was asked, or the folder's name, which may be that of a built-in task."""
    name = asked or folder.resolve().name or "data"
    return f"{name} copy" if name in BUILT_IN and not asked else name


def require_free(out: Path, source: Path) -> None:
    """Check that a folder can be written without touching files that exist.

    Raises:
        OptionError: It is not empty, is a file, or lies in the source folder.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise OptionError("expected a new folder, found a file or link", where=out, hint="choose another folder")
    if out.is_dir() and any(out.iterdir()):
        raise OptionError("the folder is not empty", where=out, hint="choose a new folder, or empty this one")
    if out.resolve().is_relative_to(source.resolve()):
        problem = "the folder lies in the source folder, and would be a part of the next import"
        raise OptionError(problem, where=out, hint="choose a folder beside it")


def write_folder(content: Content, source: Path, out: Path, copy: bool) -> Sequence[str]:
    """Write the folder and check that it can be opened. Nothing is written if there is an error.

    Args:
        content: Table and task.
        source: Folder of the files.
        out: Folder to write; it does not exist, or is empty.
        copy: Whether to copy the files; otherwise `root` of `task.toml` names the source folder.

    Returns:
        Notes for the user.

    Raises:
        DataError: Files are missing, lie outside the source folder, or have names that no table can contain; or the
            table is inconsistent. One error names all faults.
        OptionError: The folder cannot be written.
    """
    require_free(out, source)
    home = source.resolve()
    if str(home).encode("utf-8", "ignore").decode() != str(home):
        raise OptionError("the path of the source folder is not UTF-8", where=source, hint="rename the folder")
    names = list(dict.fromkeys(name for row in content.table.rows for name in row.files))
    _check_names(names, home)
    table, notes = with_usable_parts(content.table)
    task = content.task if copy else content.task.model_copy(update={"root": str(home)})
    if out.is_dir():
        out.rmdir()
    try:
        with atomic_folder(out) as part:
            part.joinpath(TABLE).write_text(table_text(table), encoding="utf-8", newline="")
            part.joinpath(FILE).write_text(toml_text(task), encoding="utf-8", newline="")
            if copy:
                copy_files(names, home, part)
            _check(part, source)
    except OSError as error:
        raise OptionError(f"cannot be written: {error}", where=out, hint="choose a writable folder") from error
    return notes


def with_usable_parts(table: Table) -> tuple[Table, list[str]]:
    """Return the table, and a note if its parts are no split, which needs train and test; they are then left out."""
    found = {row.part for row in table.rows}
    if found <= {""} or ("" not in found and {"train", "test"} <= found):
        return table, []
    named = ", ".join(sorted(found - {""}))
    why = "some samples have no part" if "" in found else "a split needs train and test"
    rows = tuple(row._replace(part="") for row in table.rows)
    return replace(table, rows=rows), [f"the parts {named} are no official split: {why}"]


def _check_names(names: Iterable[str], home: Path) -> None:
    files = FolderFiles(home)
    faults = []
    for name in names:
        problem = outside(name) or (None if name == name.strip() else f"begins or ends with a space: {name!r}")
        if problem is None and (why := files.why_unusable(name)):
            problem = f"the file {why}"
        if problem is not None:
            faults.append(DataError(f"{name}: {problem}", where=home))
    if faults:
        raise joined(faults, home, _HINT, what="faults")


def copy_files(names: Sequence[str], home: Path, out: Path) -> None:
    """Copy files with their relative paths; raises OptionError if they do not fit on the disk."""
    size, free = sum((home / name).stat().st_size for name in names), shutil.disk_usage(out).free
    if size > free:
        problem = f"the copies need {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free"
        raise OptionError(problem, where=out, hint="free some space, or import without --copy")
    for name in names:
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(home / name, target)


def _check(part: Path, source: Path) -> None:
    """Open the written folder, so that an import ends in a folder that can be used, or in an error."""
    try:
        TableSource(part)
    except MissingExtraError:
        return  # the files can be read where the extra is installed
    except DataError as error:
        problem = error.problem.replace(str(part), "metadata.csv")
        raise DataError(problem, where=source, hint=_HINT) from error
