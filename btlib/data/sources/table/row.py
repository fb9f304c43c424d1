"""One row of `metadata.csv`: a sample, its files and its facts."""

import json
from typing import NamedTuple, Self

from btlib.errors import DataError

TABLE = "metadata.csv"


class Row(NamedTuple):
    """Row of the table. Texts are as in the table, without spaces around them; "" is a blank cell.

    Attributes:
        number: Number of the row in the file; the header is row 1.
        file: Image, a posix path relative to the folder.
        masks: Mask file of each mask column, in the order of the columns.
        label: Class.
        patient: Patient id.
        volume: Volume id.
        part: Part of the official split: "train", "val", "test" or "".
        slice: Number of the slice or frame in the file, from 0; None for a file with one image.
        axis: Axis of the file along which slices are numbered, from 0; None uses the default of the file type.
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

    @property
    def id(self) -> str:
        """Id of the sample: the file name, followed by the slice if there is one."""
        if self.slice is None:
            return self.file
        return f"{self.file} slice {self.slice}" if self.axis is None else f"{self.file} {self.axis}:{self.slice}"

    @property
    def files(self) -> tuple[str, ...]:
        """The image and the masks, without blank cells."""
        return self.file, *filter(None, self.masks)

    def fault(self, problem: str, hint: str | None = None) -> DataError:
        """Return an error about this row, which names the row and the image."""
        return DataError(f"row {self.number} ({self.file}): {problem}", where=TABLE, hint=hint)

    def as_key(self) -> str:
        """Return the row as text, so that a worker process needs no other row to read the sample."""
        return json.dumps(self)

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Read the result of `as_key`."""
        number, file, masks, *rest = json.loads(key)
        return cls(number, file, tuple(masks), *rest)
