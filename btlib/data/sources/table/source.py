"""Source of samples from a folder with `metadata.csv`, and optionally `task.toml`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.faults import joined
from btlib.data.sample import Sample
from btlib.data.source import SOURCES, DatasetSource, SampleInfo, SourceKind
from btlib.data.sources.table.file_facts import read_facts
from btlib.data.sources.table.folder_files import FolderFiles
from btlib.data.sources.table.image_files import (
    SUFFIXES,
    kind_of,
    read_image,
    read_mask,
    read_with_spacing,
    require_packages,
    structures_in,
)
from btlib.data.sources.table.metadata import HINT, read_table
from btlib.data.sources.table.pixel_size import Spacing
from btlib.data.sources.table.planes import as_grey
from btlib.data.sources.table.row import TABLE, UNION, Row
from btlib.data.sources.table.task_file import FILE, channels_of, classes_of, read_task_file, structures_of, task_of
from btlib.data.task import Task
from btlib.errors import DataError, warn
from btlib.types import Scaling

_BLANK = 'add blank_mask = "empty" (the structure is absent) or "unlabelled" (leave these samples out) to task.toml'
_LABELS = "correct the label, or add it to classes in task.toml"
_CHANNELS = 'name the channels in task.toml, such as channels = ["red", "green", "blue"]'
_ANY_DEPTH = "choose the scaling percentile or zscore (--bt-scaling)"


class TableSource(DatasetSource):
    """Source of the images that `metadata.csv` lists. The table and the existence of all files are checked at once.

    Args:
        folder: Folder of `metadata.csv`.
        leave_out: Whether rows with faults are left out, so that the other rows can be audited; `faults` names them.

    Attributes:
        faults: Faults of the rows that were left out.

    Raises:
        DataError: The table or `task.toml` is invalid, or files are missing or outside the folder. One error names the
            rows of all faults.
        MissingExtraError: A package that reads the files is not installed.
    """

    def __init__(self, folder: Path | str, *, leave_out: bool = False) -> None:
        self._home, self._leave_out = Path(folder).resolve(), leave_out
        self.faults: tuple[DataError, ...] = ()
        self._table, self._asked = read_table(self._home / TABLE), read_task_file(self._home)
        self._root = self._asked.folder_of_files(self._home)
        self._classes = classes_of(self._asked, self._table, self._home / FILE)
        self._structures = structures_of(self._asked, self._table, self._home / FILE)
        self._columns, self._further = self._table.structures, self._table.channels
        channels_of(self._asked, self._table, self._home / FILE)
        self._rows = self._usable(self._table.rows)
        require_packages({kind for row in self._rows for name in row.files if (kind := kind_of(name))})

    def _usable(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Return the rows without those whose masks are unlabelled; raises DataError with all faults."""
        files = FolderFiles(self._root)
        found = {row.number: faults for row in rows if (faults := list(self._faults_of(row, files)))}
        self.faults = tuple(fault for faults in found.values() for fault in faults)
        if self.faults and not (self._leave_out and len(found) < len(rows)):
            raise joined(self.faults, self._home, HINT, what="faults")
        rows = [row for row in rows if row.number not in found] if found else rows
        if self._asked.blank_mask != "unlabelled":
            return rows
        usable = [row for row in rows if not self._has_blank(row)]
        if not usable:
            raise DataError("all samples have blank masks and are left out", where=self._home / TABLE, hint=HINT)
        if left_out := len(rows) - len(usable):
            warn(f"{self._home / TABLE}: {left_out} of {len(rows)} samples have blank masks and are left out")
        return usable

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the table, which may be long: a worker gets the rows to read."""
        _ = self.task
        return {name: value for name, value in self.__dict__.items() if name not in ("_rows", "_table", "faults")}

    @cached_property
    def _task(self) -> Task:
        names = channels_of(self._asked, self._table, self._home / FILE)
        if names is None:
            n = self._channels_of_first()
            names = ("intensity",) if n == 1 else tuple(f"channel {k + 1}" for k in range(n))
        return task_of(self._asked, self._table, names, self._home)

    @property
    def task(self) -> Task:
        """Task of `task.toml`, completed by what the table and the first image show."""
        return self._task

    @property
    def folder(self) -> Path:
        """Folder of the table."""
        return self._home

    @property
    def hint(self) -> str:
        """Hint for the user about faulty samples."""
        return "correct or remove these files, or their rows in metadata.csv"

    def samples(self) -> Sequence[SampleInfo]:
        """List the samples in the order of the rows."""
        return [
            SampleInfo(row.id, row.as_key(), self._label(row), row.patient or None, row.volume or None)
            for row in self._rows
        ]

    def signature(self) -> str:
        """Signature of the table, of `task.toml`, and of the sizes, times and inodes of the files."""
        texts = [path.read_bytes().hex() for name in (TABLE, FILE) if (path := self._home / name).exists()]
        names = dict.fromkeys(name for row in self._rows for name in row.files)
        stats = ((name, os.stat(f"{self._root}{os.sep}{name}")) for name in names)  # noqa: PTH116 - three times as fast
        files = [(name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for name, s in stats]
        return fingerprint.of(fingerprint.of(texts), files)

    def official_split(self) -> Mapping[str, str] | None:
        """Return the part of every sample by its id, "train", "val" or "test"; None without a column `split`."""
        return {row.id: row.part for row in self._rows} if self._rows[0].part else None

    def file_facts(self, info: SampleInfo) -> Mapping[str, str]:
        """Return the format, bit depth and colour mode of the image, as its header states them."""
        return read_facts(self._root / Row.from_key(info.key).file)

    def check_scaling(self, info: SampleInfo, sample: Sample, scaling: Scaling) -> None:
        """Refuse the scaling "thesis", a division by 255, for images that do not have 8 bits."""
        image = sample.image
        if scaling != "thesis" or image.dtype == np.uint8:
            return
        low, high = float(image.min()), float(image.max())
        what = f"{image.dtype} intensities, {low:g} to {high:g}"
        if image.dtype.kind == "f" and low >= 0 and high <= 1:
            what = f"intensities that are already scaled to 0…1 ({image.dtype})"
        problem = f'the scaling "thesis" divides 8-bit images by 255; this image has {what}'
        raise self._fault(Row.from_key(info.key), problem, _ANY_DEPTH)

    def read(self, info: SampleInfo) -> Sample:
        """Read and check a sample; errors name the row and the file."""
        row = Row.from_key(info.key)
        image, spacing = self._image(row)
        mask = self._mask(row, image.shape[1:])
        spacing = self._asked.spacing_mm or spacing  # a user's own statement may correct a header
        return Sample(row.id, image, mask, self._label(row), row.patient or None, row.volume or None, spacing)

    def _image(self, row: Row) -> tuple[NDArray[Any], Spacing | None]:
        """Return the image [channels, h, w] and the spacing that its first file states."""
        image, spacing = self._planes_of(row, row.file, 1 if self._further else len(self.task.channels))
        by_name = dict(zip(self._further, row.channels, strict=True))
        planes = [image]
        for channel in self.task.channels[1:] if self._further else ():
            plane, _ = self._planes_of(row, by_name[channel], 1)
            if plane.shape != image.shape:
                (high, wide), (h, w) = plane.shape[1:], image.shape[1:]
                problem = (
                    f"{by_name[channel]}: {high} × {wide} pixels (height × width), the first channel has {h} × {w}"
                )
                raise self._fault(row, problem, "all channels of an image must have one size")
            planes.append(plane)
        return np.concatenate(planes) if self._further else image, spacing

    def _planes_of(self, row: Row, name: str, channels: int) -> tuple[NDArray[Any], Spacing | None]:
        """Read one file of an image, [channels, h, w]; equal colours are one channel."""
        place = "" if name == row.file else f"{name}: "
        try:
            image, spacing = read_with_spacing(self._root / name, row.slice, row.axis)
        except DataError as error:
            raise self._fault(row, place + error.problem, error.hint) from error
        if len(image) > channels == 1 and (grey := as_grey(image)) is not None:
            return grey[None], spacing
        if len(image) != channels:
            names = "one per file" if self._further else ", ".join(self.task.channels)
            problem = f"{place}the image has {len(image)} channels, expected {channels} ({names})"
            raise self._fault(row, problem, _CHANNELS)
        return image, spacing

    def _mask(self, row: Row, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the masks of the structures, bool [k, h, w]."""
        if not self._structures:
            return np.zeros((0, *shape), bool)
        if not self._columns:
            return self._planes(row, row.masks[0], self._structures, shape)
        by_name = dict(zip(self._columns, row.masks, strict=True))
        return np.concatenate([self._planes(row, by_name[name], (name,), shape) for name in self._structures])

    def _planes(self, row: Row, name: str, structures: Sequence[str], shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Read the masks of some structures from the files of a cell, bool [k, h, w]; without a file they are empty."""
        if not name:
            return np.zeros((len(structures), *shape), bool)
        together = np.zeros((len(structures), *shape), bool)
        for one in name.split(UNION):
            try:
                mask = read_mask(self._root / one, row.slice, row.axis)
                if self._asked.mask_threshold is not None:
                    mask = (mask >= self._asked.mask_threshold).astype(np.uint8)
                planes = structures_in(mask, structures, self._asked.values)
            except DataError as error:
                raise self._fault(row, f"{one}: {error.problem}", error.hint) from error
            if planes.shape[1:] != shape:
                (high, wide), (h, w) = planes.shape[1:], shape
                problem = f"{one}: the mask has {high} × {wide} pixels (height × width), the image has {h} × {w}"
                raise self._fault(row, problem, "each mask must have the size of its image")
            together |= planes
        return together

    def _label(self, row: Row) -> int | None:
        return self._classes.index(row.label) if self._classes else None

    def _channels_of_first(self) -> int:
        """Number of channels of the first readable image; an RGB image of equal channels is grey."""
        faults = []
        for row in self._rows:
            try:
                image = read_image(self._root / row.file, row.slice, row.axis)
            except DataError as error:
                faults.append(self._fault(row, error.problem, error.hint))
            else:
                return 1 if as_grey(image) is not None else len(image)
        raise joined(faults, self._home, self.hint)

    def _faults_of(self, row: Row, files: FolderFiles) -> Iterator[DataError]:
        if self._classes and row.label not in self._classes:
            known = ", ".join(self._classes)
            yield self._fault(row, f"label: expected one of {known}, got {row.label!r}", _LABELS)
        if self._asked.blank_mask is None and self._has_blank(row):
            yield self._fault(row, "the mask is blank", _BLANK)
        for name in row.files:
            if kind_of(name) is None:
                yield self._fault(row, f"{name}: this type of file is not supported", f"known: {', '.join(SUFFIXES)}")
            elif why := files.why_unusable(name):
                yield self._fault(row, f"{name}: the file {why}")

    def _has_blank(self, row: Row) -> bool:
        """Whether a mask of the task's structures is a blank cell."""
        if not self._columns:
            return bool(self._structures) and not row.masks[0]
        by_name = dict(zip(self._columns, row.masks, strict=True))
        return not all(by_name[name] for name in self._structures)

    def _fault(self, row: Row, problem: str, hint: str | None = None) -> DataError:
        return DataError(f"row {row.number} ({row.file}): {problem}", where=self._home / TABLE, hint=hint)


def _recognises(folder: Path) -> bool:
    return (folder / TABLE).is_file()


SOURCES.add("table", SourceKind(_recognises, TableSource))
