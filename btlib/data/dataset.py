"""The preprocessed slices as one frozen value."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.quota import shares
from btlib.errors import DataError
from btlib.types import N_CLASSES, Origin, Scaling


@dataclass(frozen=True, eq=False)
class Dataset:
    """n preprocessed slices in file order.

    Attributes:
        images: float32 [n, s, s], scaled as `scaling` says; may be memory-mapped, and is then read-only.
        masks: Tumour masks, bool [n, s, s].
        labels: int64 [n]: 0 meningioma, 1 glioma, 2 pituitary.
        numbers: File numbers, int64 [n].
        patients: Patient ids, None where the file has none.
        original_areas: Tumour pixels before resizing, int64 [n].
        origin: "figshare" or "phantom".
        scaling: "thesis" or "percentile".
        image_size: s in pixels.
        folder: Where the slice files lie, None where there are none.
        fingerprint: Identity of the slices' content; size and scaling do not change it.
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
    fingerprint: str

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

    def subset(self, positions: NDArray[np.integer]) -> "Dataset":
        """The slices at `positions` (0-based, in that order), under a fingerprint of their own.

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
            fingerprint=fingerprint.of("subset", self.fingerprint, at.tolist()),
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
