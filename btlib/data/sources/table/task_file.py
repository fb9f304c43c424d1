"""Reading of `task.toml`. Everything that can be seen in the data may be left out."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from btlib.data.sources.table.metadata import Table
from btlib.data.sources.tasks import BUILT_IN
from btlib.data.task import Task
from btlib.errors import DataError
from btlib.natural_order import natural
from btlib.ranges import described

FILE = "task.toml"
_HINT = "docs/tasks.md describes task.toml"
_Texts = Annotated[tuple[str, ...], Field(strict=False)]
_Lengths = Annotated[tuple[float, float], Field(strict=False)]
_Values = int | Annotated[tuple[int, ...], Field(strict=False, min_length=1)]

BACKGROUND = "background"
"""Name in `mask_values` of the pixels that belong to no structure."""


class TaskFile(BaseModel):
    """Content of `task.toml`; None means that the field is found in the data, or unknown.

    Attributes:
        name: Name of the task; default: the name of the folder.
        classes: Classes in the order of the labels 0, 1 …; default: the labels of the table in natural order.
        structures: Structures in the order of the masks; default: the names of the columns `mask:NAME`, or "lesion".
        channels: Names of the channels of an image; default: as many as the first image has.
        spacing_mm: Size of a pixel in mm, height and width.
        licence: Licence of the data.
        citation: Citation of the data.
        independent: Whether samples without a patient id are independent of each other.
        synthetic: Whether the samples are simulated.
        blank_mask: Meaning of a blank mask cell: "empty" (the sample does not contain the structure) or "unlabelled"
            (nobody has looked for it; the sample is left out).
        root: Folder of the files that `metadata.csv` names; a relative path starts at the folder of `metadata.csv`,
            which is also the default.
        mask_values: Structure → its value or values in the files of the column `mask`, in the order of the structures.
            A value may belong to several structures. "background" → values of no structure; default: 0. Without this
            field, 0 is the background, and 1 … k are the k structures.
        mask_threshold: Lowest value of a structure in mask files that have one structure each but many values, such as
            JPEG files; smaller values are background.
        gate: Metric → margin, the loss that the gate tolerates if a baseline is accepted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    name: str | None = None
    classes: _Texts | None = None
    structures: _Texts | None = None
    channels: _Texts | None = None
    spacing_mm: _Lengths | None = None
    licence: str | None = None
    citation: str | None = None
    independent: bool = False
    synthetic: bool = False
    blank_mask: Literal["empty", "unlabelled"] | None = None
    root: str | None = None
    mask_values: dict[str, _Values] = {}
    mask_threshold: Annotated[int, Field(ge=1)] | None = None
    gate: dict[str, float] = {}

    @property
    def values(self) -> dict[str, tuple[int, ...]]:
        """Values of each structure and of the background; empty without `mask_values`."""
        if not self.mask_values:
            return {}
        given = {name: (at,) if isinstance(at, int) else tuple(at) for name, at in self.mask_values.items()}
        return {BACKGROUND: (0,)} | given

    def folder_of_files(self, folder: Path) -> Path:
        """Return the resolved folder of the files that the table of `folder` names.

        Raises:
            DataError: `root` is no folder.
        """
        if self.root is None:
            return folder.resolve()
        home = (folder / self.root).resolve()
        if not home.is_dir():
            hint = "mount or restore this folder, or correct root in task.toml"
            raise DataError(f"root: there is no folder {home}", where=folder / FILE, hint=hint)
        return home


def read_task_file(folder: Path) -> TaskFile:
    """Read the `task.toml` of a folder; if there is none, all fields have their defaults.

    Raises:
        DataError: The file cannot be read, or has an unknown or invalid field.
    """
    path = folder / FILE
    if not path.exists():
        return TaskFile()
    try:
        return TaskFile.model_validate(tomllib.loads(path.read_bytes().decode("utf-8-sig")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"cannot be read: {error}", where=path, hint=_HINT) from error
    except ValidationError as error:
        raise _invalid(error, path) from error


def task_of(asked: TaskFile, table: Table, channels: Sequence[str], folder: Path) -> Task:
    """Return the task of a folder.

    Args:
        asked: Content of `task.toml`.
        table: Content of `metadata.csv`.
        channels: Names of the channels of the images.
        folder: The folder.

    Raises:
        DataError: A field of the task is invalid, or the table and `task.toml` contradict each other.
    """
    path, name = folder / FILE, folder.name if asked.name is None else asked.name
    if name in BUILT_IN:
        raise DataError(f"the name {name!r} belongs to a built-in task", where=path, hint='add name = "…" to task.toml')
    classes, structures = classes_of(asked, table, path), structures_of(asked, table, path)
    if not (classes or structures):
        hint = "add a column label, mask or mask:NAME to metadata.csv"
        raise DataError("there is nothing to predict: no labels and no masks", where=folder, hint=hint)
    try:
        return Task(
            name=name,
            classes=classes,
            structures=structures,
            channels=tuple(channels),
            spacing=asked.spacing_mm,
            independent=asked.independent,
            synthetic=asked.synthetic,
            licence=asked.licence,
            citation=asked.citation,
            margins=tuple(asked.gate.items()),
        )
    except ValidationError as error:
        raise _invalid(error, path) from error


def classes_of(asked: TaskFile, table: Table, path: Path) -> tuple[str, ...]:
    """Return the classes of the task, in the order of their labels from 0.

    Raises:
        DataError: `task.toml` names classes, but the table has no labels.
    """
    if asked.classes and not table.has_labels:
        raise DataError("classes: metadata.csv has no labels", where=path, hint="add a column label")
    if asked.classes is not None:
        return asked.classes
    return tuple(sorted({row.label for row in table.rows}, key=natural)) if table.has_labels else ()


def channels_of(asked: TaskFile, table: Table, path: Path) -> tuple[str, ...] | None:
    """Return the names of the channels; None if neither the table nor `task.toml` names them.

    The channel of `file_name` is the first. `task.toml` names it, and orders those of the columns `channel:NAME`.

    Raises:
        DataError: `task.toml` names other channels than the table.
    """
    if not table.channels:
        return asked.channels
    if asked.channels is None:
        return ("intensity", *table.channels)
    if sorted(asked.channels[1:]) != sorted(table.channels):
        expected, found = ", ".join(table.channels), ", ".join(asked.channels)
        problem = f"channels: expected the channel of file_name, then those of the columns, {expected}, got {found}"
        raise DataError(problem, where=path, hint="use the same names in both files")
    return asked.channels


def structures_of(asked: TaskFile, table: Table, path: Path) -> tuple[str, ...]:
    """Return the structures of the task, in the order of the masks.

    Raises:
        DataError: `task.toml` names other structures than the table.
    """
    if asked.mask_threshold is not None:
        _check_threshold(asked, table, path)
    if asked.mask_values:
        return _by_values(asked, table, path)
    if asked.structures is None:
        return table.structures or (("lesion",) if table.has_mask else ())
    if not (table.structures or table.has_mask) and asked.structures:
        raise DataError("structures: metadata.csv has no masks", where=path, hint="add a column mask or mask:NAME")
    if table.structures and set(asked.structures) - set(table.structures):
        expected, found = ", ".join(table.structures), ", ".join(asked.structures)
        problem = f"structures: expected names of the mask columns of metadata.csv, {expected}, got {found}"
        raise DataError(problem, where=path, hint="use the same names in both files")
    return asked.structures


def _check_threshold(asked: TaskFile, table: Table, path: Path) -> None:
    several = table.has_mask and len(asked.structures or ()) > 1
    if asked.mask_values or several or not (table.has_mask or table.structures):
        problem = "mask_threshold: expected masks of one structure each, without mask_values"
        raise DataError(problem, where=path, hint="remove mask_threshold")


def _by_values(asked: TaskFile, table: Table, path: Path) -> tuple[str, ...]:
    """Return the structures that `mask_values` names, after a check that it agrees with the other fields."""
    named = tuple(name for name in asked.mask_values if name != BACKGROUND)
    if not table.has_mask:
        raise DataError("mask_values: metadata.csv has no column mask", where=path, hint="remove mask_values")
    if asked.structures is not None and set(asked.structures) != set(named):
        expected, found = ", ".join(asked.structures), ", ".join(named)
        problem = f"mask_values: expected the values of {expected}, got those of {found}"
        raise DataError(problem, where=path, hint="use the same names in structures and mask_values")
    clash = {v for v in asked.values[BACKGROUND] for name in named if v in asked.values[name]}
    if clash:
        raise DataError(f"mask_values: {min(clash)} belongs to a structure and to the background", where=path)
    return asked.structures or named


def _invalid(error: ValidationError, path: Path) -> DataError:
    found = [
        f"{'.'.join(map(str, one['loc']))}: {described(one)}".removeprefix(": ")
        for one in error.errors(include_url=False)
    ]
    return DataError("; ".join(found), where=path, hint=_HINT)
