"""Who the samples belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

PatientSource = Literal["files", "table"]
"""Where patient ids come from: what the files themselves say, or btlib's table of known samples."""


@dataclass(frozen=True, eq=False)
class Patients:
    """The patients of n samples.

    Attributes:
        ids: Patient of every sample, None where unknown.
        source: Where they come from; None where no sample has one.
        folds: Stored fold of every patient, 1…5; None where there is none (`btlib.splits` then makes one).
    """

    ids: tuple[str | None, ...]
    source: PatientSource | None
    folds: Mapping[str, int] | None = None


def shared_volume(volumes: Sequence[str], patients: Sequence[str | None]) -> str | None:
    """What is wrong with n samples of which a volume belongs to more than one patient; None where nothing is."""
    whose: dict[str, str | None] = {}
    for volume, patient in zip(volumes, patients, strict=True):
        if whose.setdefault(volume, patient) != patient:
            return f"{volume!r} has samples of patients {whose[volume]!r} and {patient!r}"
    return None
