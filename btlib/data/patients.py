"""Patients of the samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

PatientSource = Literal["files", "table"]
"""Source of the patient ids: the codes in the files, or btlib's table of known samples."""


@dataclass(frozen=True, eq=False)
class Patients:
    """The patients of n samples.

    Attributes:
        ids: Patient of every sample, None if unknown.
        source: Source of the ids; None if no sample has one.
        folds: Stored fold of every patient, 1…5; None if no folds are stored (`btlib.splits` then makes them).
    """

    ids: tuple[str | None, ...]
    source: PatientSource | None
    folds: Mapping[str, int] | None = None


def shared_volume(volumes: Sequence[str], patients: Sequence[str | None]) -> str | None:
    """Return a message if a volume belongs to more than one patient; otherwise None."""
    whose: dict[str, str | None] = {}
    for volume, patient in zip(volumes, patients, strict=True):
        if whose.setdefault(volume, patient) != patient:
            return f"{volume!r} has samples of patients {whose[volume]!r} and {patient!r}"
    return None
