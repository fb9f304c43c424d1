"""The preprocessed slices as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.digest import Digests, combined, image_digest, mask_digest
from btlib.data.patients import PatientSource
from btlib.data.quota import shares
from btlib.errors import DataError
from btlib.types import N_CLASSES, Origin, Scaling


@dataclass(frozen=True, eq=False)
class Cohort:
    """Everyone in a whole data set: what folds are made of, so that a part of the slices keeps every patient's fold.

    Attributes:
        patients: Patient of every slice of the whole, None where unknown.
        labels: Class of every slice of the whole, int64 [n].
        folds: Stored fold of every patient; None where there is none.
    """

    patients: tuple[str | None, ...]
    labels: NDArray[np.int64]
    folds: Mapping[str, int] | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """n preprocessed slices in file order.

    Attributes:
        images: float32 [n, s, s], scaled as `scaling` says; may be memory-mapped, and is then read-only.
        masks: Tumour masks, bool [n, s, s].
        labels: int64 [n]: 0 meningioma, 1 glioma, 2 pituitary.
        numbers: File numbers, int64 [n].
        patients: Patient ids, None where unknown. Codes that differ by a letter suffix are one person.
        original_areas: Tumour pixels before resizing, int64 [n].
        origin: "figshare" or "phantom".
        scaling: "thesis" or "percentile".
        image_size: s in pixels.
        folder: Where the slice files lie, None where there are none.
        patient_source: Where the patient ids come from; None where there are none.
        independent: The user says that slices without a patient id are independent of each other.
        cohort: The whole data set of which these slices are a part; None: these slices are the whole.
        image_digests: Identity of every image before it was resized and scaled, uint64 [n]; None: that of `images`.
        mask_digests: Identity of every mask at this size, uint64 [n]; None: computed when it is asked for.
    """

    images: NDArray[np.float32]
    masks: NDArray[np.bool_]
    labels: NDArray[np.int64]
    numbers: NDArray[np.int64]
    patients: tuple[str | None, ...]
    original_areas: NDArray[np.int64]
    origin: Origin
    scaling: Scaling
    image_size: int
    folder: Path | None
    patient_source: PatientSource | None = None
    independent: bool = False
    cohort: Cohort | None = None
    image_digests: Digests | None = None
    mask_digests: Digests | None = None

    def __post_init__(self) -> None:
        n = len(self.images)
        square = (n, self.image_size, self.image_size)
        for name, shape in (
            ("images", square),
            ("masks", square),
            ("labels", (n,)),
            ("numbers", (n,)),
            ("original_areas", (n,)),
        ):
            if getattr(self, name).shape != shape:
                raise DataError(f"expected shape {shape}, got {getattr(self, name).shape}", where=f"Dataset.{name}")
        if len(self.patients) != n:
            raise DataError(f"expected {n} patients, got {len(self.patients)}", where="Dataset.patients")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def whole(self) -> Cohort:
        """Everyone in the data set that these slices are a part of."""
        return self.cohort or Cohort(self.patients, self.labels)

    @cached_property
    def truth_fingerprint(self) -> str:
        """Identity of numbers, labels and masks at this size: equal where measured numbers can be compared."""
        digests = self.mask_digests
        if digests is None:
            digests = np.array([mask_digest(mask) for mask in self.masks], dtype=np.uint64)
        return combined(self.numbers, self.labels, digests)

    @cached_property
    def input_fingerprint(self) -> str:
        """Identity of the images, whatever size and scaling are made of them: differs between renderings."""
        digests = self.image_digests
        if digests is None:
            digests = np.array([image_digest(image) for image in self.images], dtype=np.uint64)
        return combined(digests)

    @property
    def fingerprint(self) -> str:
        """Identity of truth and inputs: what a model is trained on. Patients are no part of it."""
        return fingerprint.of(self.truth_fingerprint, self.input_fingerprint)

    def subset(self, positions: NDArray[np.integer]) -> "Dataset":
        """The slices at `positions` (0-based, in that order); their patients keep the folds of the whole.

        Raises:
            DataError: A position outside 0…n-1.
        """
        at = np.asarray(positions, dtype=np.int64)
        if at.ndim != 1 or (len(at) and not (at.min() >= 0 and at.max() < len(self))):
            raise DataError(f"expected positions 0…{len(self) - 1}", where="Dataset.subset", mend="count from 0")
        if np.array_equal(at, np.arange(len(self))):
            return self
        return replace(
            self,
            images=self.images[at],
            masks=self.masks[at],
            labels=self.labels[at],
            numbers=self.numbers[at],
            patients=tuple(self.patients[i] for i in at),
            original_areas=self.original_areas[at],
            cohort=self.whole,
            image_digests=None if self.image_digests is None else self.image_digests[at],
            mask_digests=None if self.mask_digests is None else self.mask_digests[at],
        )

    def limit(self, n: int) -> "Dataset":
        """Choose n slices, each class in its proportion and spread evenly over the file order, which is kept.

        Deterministic; every class that is there keeps at least one slice where n allows.

        Raises:
            DataError: n is below 1 or above the number of slices.
        """
        if not 1 <= n <= len(self):
            raise DataError(f"expected 1…{len(self)} slices, got {n}", where="limit", mend="ask for fewer slices")
        kept = []
        wanted = shares(np.bincount(self.labels, minlength=N_CLASSES).tolist(), n)
        for label, count in enumerate(wanted):
            members = np.flatnonzero(self.labels == label)
            kept.append(members[(np.arange(count) * len(members)) // max(count, 1)])
        return self.subset(np.sort(np.concatenate(kept)))
