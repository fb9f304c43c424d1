"""Recognition of slices of the Figshare data set among images with masks: their classes and patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib.data.layouts.layout import join_names
from btlib.data.layouts.mask_values import MaskFacts
from btlib.data.layouts.walk import stem
from btlib.data.sources.figshare.patient_table import PatientTable, figshare_patients
from btlib.data.sources.figshare.recognise import is_copy, recognise
from btlib.data.sources.tasks import FIGSHARE
from btlib.errors import DataError

_FEWEST = 0.5  # share of recognised masks that cannot be a coincidence


@dataclass(frozen=True)
class Recognised:
    """Facts of the images, all of which are slices of the data set.

    Attributes:
        labels: Class of each image.
        patients: Person of each image.
        note: Message for the user.
    """

    labels: tuple[str, ...]
    patients: tuple[str, ...]
    note: str


def recognise_copy(names: Sequence[str], masks: Sequence[MaskFacts | None], folder: Path) -> Recognised | None:
    """Recognise a copy of the data set by its masks, which do not depend on file names, depth or mirroring.

    Args:
        names: File of each image.
        masks: Facts of each mask; None for an image that does not have exactly one mask.
        folder: Folder that errors name.

    Returns:
        The classes and persons; None if less than half of the masks are known.

    Raises:
        DataError: Most masks are known, but not all: nothing is known about the patients of the others.
    """
    table = figshare_patients()
    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    numbers = np.array([_number(name) for name in names], np.int64)
    signatures = np.array([0 if mask is None else mask.signature for mask in masks], np.uint64)
    areas = np.array([0 if mask is None else mask.area for mask in masks], np.int64)
    found = recognise(numbers, signatures, areas, table)
    share = np.count_nonzero(found) / len(found)
    if share <= _FEWEST:
        return None
    found = _by_number(found, numbers, areas, table)
    strange = [name for name, at in zip(names, found, strict=True) if not at]
    if strange:
        problem = (
            f"{len(names) - len(strange)} of {len(names)} masks are those of the Figshare data set. "
            f"The others are unknown: {join_names(strange)}"
        )
        hint = "move the other images to a folder of their own, or import with --no-recognise"
        raise DataError(problem, where=folder, hint=hint)
    labels = tuple(FIGSHARE.classes[table.labels[at - 1]] for at in found)
    persons = tuple(str(table.persons[at - 1]) for at in found)
    note = (
        f"all {len(names)} masks are those of the Figshare data set: "
        f"classes and {len(set(persons))} patients are taken from btlib's table"
    )
    return Recognised(labels, persons, note)


def _number(name: str) -> int:
    """The number that is the name of a file; 0 if it is no number."""
    base = stem(name)
    return int(base) if base.isascii() and base.isdecimal() and len(base) < 10 else 0


def _by_number(
    found: NDArray[np.int64], numbers: NDArray[np.int64], areas: NDArray[np.int64], table: PatientTable
) -> NDArray[np.int64]:
    """Recognise the remaining masks by number and area, if the recognised files have the data set's own numbers."""
    sure = found > 0
    if not (found[sure] == numbers[sure]).all() or not is_copy(found):
        return found
    rest = (~sure) & (numbers >= 1) & (numbers <= len(table.areas))
    expected = table.areas[np.where(rest, numbers, 1) - 1]
    alike = rest & (np.abs(areas - expected) <= np.maximum(12, 0.15 * expected))
    return np.where(alike, numbers, found)
