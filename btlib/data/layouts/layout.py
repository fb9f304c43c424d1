"""Interface of a layout of files, and the registry of all layouts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

from btlib.data.layouts.writing import Content, write_folder
from btlib.errors import OptionError
from btlib.registry import Registry


@dataclass(frozen=True)
class Options:
    """Options of an import. A layout declares those that it uses; another one with a value is an error.

    Attributes:
        name: Name of the task; default: what the layout states, otherwise the name of the source folder.
        patient: Where the patient id is found: "folder" (the folder of the file), "file" (the name of the file, so that
            each is a patient) or a regular expression for the path, whose first group is the id.
        label: Where the class is found: "folder", or a regular expression as above.
        images: Folder of the images, relative to the source folder, if its name does not show it.
        masks: Folder of the masks, in the same way.
        channels: Names of the channels, by which the files of one image differ, such as "flair" in `1_flair.nii.gz`.
        structures: Names of the structures, in the order of the mask values, or by which mask files differ.
        mask_threshold: Lowest value of the structure in masks that have many values, such as JPEG files.
        blank_mask: Meaning of images without a mask, as in `task.toml`.
        axis: Axis of the slices of volumes, from 0.
        slices: Slices of volumes: "all", "mask" (those with a structure) or "every:N".
        ignore_label: Treatment of nnU-Net's ignore label: "background", or "leave-out" samples that contain it.
        recognise: Whether slices of the Figshare data set are recognised by their masks.
    """

    name: str | None = None
    patient: str | None = None
    label: str | None = None
    images: str | None = None
    masks: str | None = None
    channels: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    mask_threshold: int | None = None
    blank_mask: Literal["empty", "unlabelled"] | None = None
    axis: int | None = None
    slices: str = "all"
    ignore_label: Literal["background", "leave-out"] | None = None
    recognise: bool = True

    @property
    def given(self) -> list[str]:
        """Names of the options that differ from their defaults."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]


@dataclass(frozen=True)
class Imported:
    """Result of an import.

    Attributes:
        folder: Folder that was written.
        n: Number of its samples.
        notes: What was found or left out, for the user.
    """

    folder: Path
    n: int
    notes: tuple[str, ...]


class Layout(ABC):
    """Layout of files that an importer reads."""

    summary: ClassVar[str]
    """Description in one line, for the help of the command."""
    options: ClassVar[frozenset[str]] = frozenset()
    """Names of the `Options` that the layout uses, besides `name`."""

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Whether a folder has this layout, from the names of its files."""

    @abstractmethod
    def write(self, source: Path, out: Path, options: Options, copy: bool) -> Imported:
        """Import a folder.

        Args:
            source: Folder in this layout; only read.
            out: Folder to write; it does not exist, or is empty.
            options: Options that the layout uses.
            copy: Whether to copy files; otherwise the written table refers to the files of the source.

        Raises:
            DataError: The source is incomplete, contradictory or damaged. One error names all faults.
        """

    def require(self, options: Options, name: str) -> None:
        """Check that the layout uses all options that are given.

        Raises:
            OptionError: It does not use one of them.
        """
        unused = [option for option in options.given if option not in self.options | {"name"}]
        if unused:
            known = ", ".join(f"--{option.replace('_', '-')}" for option in sorted(self.options | {"name"}))
            problem = f"the layout {name} does not use --{unused[0].replace('_', '-')}"
            raise OptionError(problem, hint=f"options of this layout: {known}")


class TableLayout(Layout):
    """Layout of images that `metadata.csv` can list."""

    @abstractmethod
    def read(self, source: Path, options: Options) -> Content:
        """Read the table and the task of a folder, or of the file that describes it; raises DataError as `write`."""

    def write(self, source: Path, out: Path, options: Options, copy: bool) -> Imported:
        """Write the folder of the table; see `Layout.write`."""
        content = self.read(source, options)
        notes = write_folder(content, source.parent if source.is_file() else source, out, copy)
        return Imported(out, len(content.table.rows), (*content.notes, *notes))


LAYOUTS: Registry[Layout] = Registry("layout", "btlib.layouts")
"""Layouts by name. Other packages add layouts with an entry point in the group `btlib.layouts`."""


def join_names(names: Sequence[str], most: int = 5) -> str:
    """Join the first names for a message, followed by the number of the others."""
    more = f" … and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
