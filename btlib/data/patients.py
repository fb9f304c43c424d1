"""Who the samples belong to."""

from collections.abc import Mapping
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
