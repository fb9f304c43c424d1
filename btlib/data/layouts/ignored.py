"""Samples with nnU-Net's ignore label: pixels of which nobody knows what they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from btlib.data.layouts.volumes import read_volume
from btlib.data.sources.table.image_files import kind_of, read_mask
from btlib.data.sources.table.row import Row
from btlib.errors import DataError

_HINT = "add --ignore-label background (such pixels are scored as background) or leave-out (leave these samples out)"


def without_ignored(
    rows: Sequence[Row], value: int, treatment: Literal["background", "leave-out"] | None, folder: Path
) -> tuple[list[Row], list[str]]:
    """Return the rows to use, and notes. btlib scores all pixels, so the user must say what these pixels mean.

    Args:
        rows: Rows with one mask each.
        value: Value of the ignore label.
        treatment: What the user says; None if nothing.
        folder: Folder of the files.

    Raises:
        DataError: The user has said nothing, or no sample is left.
    """
    if treatment is None:
        problem = f"dataset.json has an ignore label, {value}; btlib scores every pixel"
        raise DataError(problem, where=folder, hint=_HINT)
    if treatment == "background":
        return list(rows), [f"pixels of the ignore label {value} are scored as background"]
    usable = [row for row, ignored in zip(rows, _ignored(rows, value, folder), strict=True) if not ignored]
    if not usable:
        raise DataError(f"all samples contain the ignore label {value}", where=folder, hint=_HINT)
    left_out = len(rows) - len(usable)
    return usable, [f"{left_out} of {len(rows)} samples contain the ignore label {value} and are left out"]


def _ignored(rows: Sequence[Row], value: int, folder: Path) -> list[bool]:
    """Return whether the mask of each row contains the value; each volume is read once."""
    found, name, volume = [], None, None
    for row in rows:
        try:
            if kind_of(row.masks[0]) != "nifti":
                found.append(bool((read_mask(folder / row.masks[0], row.slice, row.axis) == value).any()))
                continue
            if volume is None or name != row.masks[0]:
                name, volume = row.masks[0], read_volume(folder / row.masks[0])
        except DataError as error:
            raise DataError(f"{row.masks[0]}: {error.problem}", where=folder, hint=error.hint) from error
        plane = volume.take(row.slice or 0, axis=2 if row.axis is None else row.axis)
        found.append(bool(np.any(plane == value)))
    return found
