"""One row of `metadata.csv`: a sample, its files and its facts."""

import json
from typing import NamedTuple, Self

from btlib.errors import DataError

TABLE = "metadata.csv"
UNION = "|"
"""Separator of the files of a mask cell; their masks are united."""


class Row(NamedTuple):
    """Row of the table. Texts are as in the table, without spaces around them; "" is a blank cell.

    Attributes:
        number: Number of the row in the file; the header is row 1.
        file: Image, a posix path relative to the folder.
        masks: Mask file of each mask column, in the order of the columns; several files are separated by "|".
        label: Class.
        patient: Patient id.
        volume: Volume id.
        part: Part of the official split: "train", "val", "test" or "".
        slice: Number of the slice or frame in the file, from 0; None for a file with one image.
        axis: Axis of the file along which slices are numbered, from 0; None uses the default of the file type.
        channels: File of each further channel of the image, in the order of the columns `channel:NAME`.
    """

    number: int
    file: str
    masks: tuple[str, ...] = ()
    label: str = ""
    patient: str = ""
    volume: str = ""
    part: str = ""
    slice: int | None = None
    axis: int | None = None
    channels: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Id of the sample: the file name, followed by the slice if there is one."""
        if self.slice is None:
            return self.file
        return f"{self.file} slice {self.slice}" if self.axis is None else f"{self.file} {self.axis}:{self.slice}"

    @property
    def files(self) -> tuple[str, ...]:
        """The image, its further channels and the masks, without blank cells."""
        masks = (name for cell in self.masks if cell for name in cell.split(UNION))
        return self.file, *self.channels, *masks

    def fault(self, problem: str, hint: str | None = None) -> DataError:
        """Return an error about this row, which names the row and the image."""
        return DataError(f"row {self.number} ({self.file}): {problem}", where=TABLE, hint=hint)

    def as_key(self) -> str:
        """Return the row as text, so that a worker process needs no other row to read the sample."""
        return json.dumps(self)

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Read the result of `as_key`."""
        number, file, masks, *rest, channels = json.loads(key)
        return cls(number, file, tuple(masks), *rest)._replace(channels=tuple(channels))
