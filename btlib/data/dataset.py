"""The preprocessed samples as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.digest import Digests, combined, image_digest, mask_digest
from btlib.data.lazy_rows import LazyRows
from btlib.data.patients import PatientSource, shared_volume
from btlib.data.quota import shares
from btlib.data.task import Task
from btlib.errors import DataError
from btlib.types import Scaling


@dataclass(frozen=True, eq=False)
class Samples:
    """n preprocessed samples of a task: images and their truth.

    Attributes:
        task: Names their classes, structures and channels.
        images: float32 [n, channels, s, s], scaled as `scaling` says; may be memory-mapped, and is then read-only.
        masks: True masks, bool [n, structures, s, s]; all of a sample may be empty.
        labels: True classes, int64 [n]: 0 for the task's first class; None for a task without classes.
        ids: Text, each once, [n].
        patients: Patient ids, None where unknown.
        scaling: "thesis" or "percentile".
        image_size: s in pixels.
        volumes: Ids of the volumes that the samples are parts of; None where samples stand alone.
    """

    task: Task
    images: NDArray[np.float32]
    masks: NDArray[np.bool_]
    labels: NDArray[np.int64] | None
    ids: NDArray[np.str_]
    patients: tuple[str | None, ...]
    scaling: Scaling
    image_size: int
    volumes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        n, side = len(self.images), (self.image_size, self.image_size)
        shapes: dict[str, tuple[int, ...]] = {
            "images": (n, len(self.task.channels), *side),
            "masks": (n, len(self.task.structures), *side),
            "ids": (n,),
        }
        if self.labels is not None:
            shapes["labels"] = (n,)
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise self._error(name, f"expected shape {shape}, got {getattr(self, name).shape}")
        for name in ("patients", "volumes"):
            if (values := getattr(self, name)) is not None and len(values) != n:
                raise self._error(name, f"expected {n} {name}, got {len(values)}")
        if self.ids.dtype.kind != "U" or len(set(self.ids.tolist())) < n:
            raise self._error("ids", f"expected text, each once, got {self.ids.dtype}")
        self._check_volumes()
        if (self.labels is None) != (not self.task.classes):
            raise self._error("labels", "expected one for each sample where the task has classes, and none elsewhere")
        if (
            self.labels is not None
            and n
            and not (self.labels.min() >= 0 and self.labels.max() < len(self.task.classes))
        ):
            found = f"{self.labels.min()}…{self.labels.max()}"
            raise self._error("labels", f"expected 0…{len(self.task.classes) - 1}, got {found}")

    def _check_volumes(self) -> None:
        """All samples are parts of volumes, or none is; a volume is of one patient."""
        if self.volumes is None:
            return
        if missing := [volume for volume in self.volumes if not volume]:
            raise self._error("volumes", f"expected a volume for each sample or for none, got {missing[0]!r}")
        if problem := shared_volume(self.volumes, self.patients):
            raise self._error("volumes", problem)

    def _error(self, field: str, problem: str) -> DataError:
        return DataError(problem, where=f"{type(self).__name__}.{field}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def strata(self) -> NDArray[np.int64]:
        """What splits keep in proportion, int64 [n]: classes; all 0 for a task without them."""
        return np.zeros(len(self), dtype=np.int64) if self.labels is None else self.labels

    def has_structure(self, positions: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether any structure is in each of some samples, bool [len(positions)]."""
        return np.asarray(self.masks[positions].any(axis=(1, 2, 3)))

    def part(self, positions: NDArray[np.integer]) -> "Samples":
        """Some samples in an order of their own, read-only and apart from these: pixels are read when asked for.

        Args:
            positions: 0-based.

        Raises:
            DataError: A position outside 0…n-1.
        """
        at = self._positions(positions)
        labels = None if self.labels is None else self.labels[at]
        ids = self.ids[at]
        for values in (labels, ids):
            if values is not None:
                values.flags.writeable = False
        return Samples(
            task=self.task,
            images=LazyRows(self.images, at),  # type: ignore[arg-type]  # indexed as an array
            masks=LazyRows(self.masks, at),  # type: ignore[arg-type]
            labels=labels,
            ids=ids,
            patients=tuple(self.patients[i] for i in at),
            scaling=self.scaling,
            image_size=self.image_size,
            volumes=None if self.volumes is None else tuple(self.volumes[i] for i in at),
        )

    def _positions(self, positions: NDArray[np.integer]) -> NDArray[np.int64]:
        at = np.asarray(positions)
        if at.ndim != 1 or (len(at) and (at.dtype.kind not in "iu" or at.min() < 0 or at.max() >= len(self))):
            raise DataError(f"expected positions 0…{len(self) - 1}", where=type(self).__name__, hint="count from 0")
        return at.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Cohort:
    """Everyone in a whole data set: what folds are made of, so that a part of the samples keeps every patient's fold.

    Attributes:
        patients: Patient of every sample of the whole, None where unknown.
        labels: Class of every sample of the whole, int64 [n]; all 0 for a task without classes.
        folds: Stored fold of every patient; None where there is none.
    """

    patients: tuple[str | None, ...]
    labels: NDArray[np.int64]
    folds: Mapping[str, int] | None = None


@dataclass(frozen=True, eq=False)
class Dataset(Samples):
    """n preprocessed samples in the order of their source, and where they come from.

    Attributes:
        folder: Where their files lie, None where there are none.
        patient_source: Where the patient ids come from; None where there are none.
        independent: The user says that samples without a patient id are independent of each other.
        cohort: The whole data set of which these samples are a part; None: these samples are the whole.
        image_digests: Identity of every image before it was resized and scaled, uint64 [n]; None: that of `images`.
        mask_digests: Identity of every mask at this size, uint64 [n]; None: computed when it is asked for.
    """

    folder: Path | None = None
    patient_source: PatientSource | None = None
    independent: bool = False
    cohort: Cohort | None = None
    image_digests: Digests | None = None
    mask_digests: Digests | None = None

    @property
    def whole(self) -> Cohort:
        """Everyone in the data set that these samples are a part of."""
        return self.cohort or Cohort(self.patients, self.strata)

    @cached_property
    def truth_digests(self) -> Digests:
        """Identity of every mask at this size, uint64 [n], as it was when the data set was made or first asked."""
        if self.mask_digests is not None:
            return self.mask_digests
        return np.array([mask_digest(mask) for mask in self.masks], dtype=np.uint64)

    @cached_property
    def truth_fingerprint(self) -> str:
        """Identity of ids, labels and masks at this size: equal where measured numbers can be compared."""
        labels = () if self.labels is None else (self.labels,)
        return combined(self.ids, *labels, self.truth_digests)

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
        """The samples at `positions` (0-based, in that order); their patients keep the folds of the whole.

        Raises:
            DataError: A position outside 0…n-1.
        """
        at = self._positions(positions)
        if np.array_equal(at, np.arange(len(self))):
            return self
        return replace(
            self,
            images=self.images[at],
            masks=self.masks[at],
            labels=None if self.labels is None else self.labels[at],
            ids=self.ids[at],
            patients=tuple(self.patients[i] for i in at),
            volumes=None if self.volumes is None else tuple(self.volumes[i] for i in at),
            cohort=self.whole,
            image_digests=None if self.image_digests is None else self.image_digests[at],
            mask_digests=None if self.mask_digests is None else self.mask_digests[at],
        )

    def limit(self, n: int) -> "Dataset":
        """Choose n samples, each class in its proportion and spread evenly over their order, which is kept.

        Deterministic; every class that is there keeps at least one sample where n allows.

        Raises:
            DataError: n is below 1 or above the number of samples.
        """
        if not 1 <= n <= len(self):
            raise DataError(f"expected 1…{len(self)} samples, got {n}", where="limit", hint="ask for fewer samples")
        chosen = []
        wanted = shares(np.bincount(self.strata, minlength=len(self.task.classes)).tolist(), n)
        for label, count in enumerate(wanted):
            members = np.flatnonzero(self.strata == label)
            chosen.append(members[(np.arange(count) * len(members)) // max(count, 1)])
        return self.subset(np.sort(np.concatenate(chosen)))
