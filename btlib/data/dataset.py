"""Preprocessed samples as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.digest import Digests, combined, image_digest, mask_digest
from btlib.data.lazy_rows import LazyRows
from btlib.data.originals import Originals
from btlib.data.patients import PatientSource, shared_volume
from btlib.data.quota import shares
from btlib.data.task import Task
from btlib.errors import DataError
from btlib.ranges import Range
from btlib.types import Scaling


@dataclass(frozen=True, eq=False)
class Samples:
    """n preprocessed samples of a task: images and ground truth.

    Attributes:
        task: Task, which names the classes, structures and channels.
        images: Images, float32 [n, channels, s, s], scaled according to `scaling`; read-only if memory-mapped.
        masks: True masks, bool [n, structures, s, s]; all masks of a sample may be empty.
        labels: True classes, int64 [n]: 0 for the task's first class; None for a task without classes.
        ids: Sample ids, unique texts, [n].
        patients: Patient ids, None if unknown.
        scaling: "thesis" or "percentile".
        image_size: Side s of an image in pixels.
        volumes: Ids of the volumes that the samples belong to; None if the samples belong to no volumes.
        originals: True masks on the grid of the source, for distances in mm; None if no sample has a known spacing.
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
    originals: Originals | None = None

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
        for name in ("patients", "volumes", "originals"):
            if (values := getattr(self, name)) is not None and len(values) != n:
                raise self._error(name, f"expected {n} {name}, got {len(values)}")
        if self.ids.dtype.kind != "U" or len(set(self.ids.tolist())) < n:
            raise self._error("ids", f"expected unique texts, got {self.ids.dtype}")
        self._check_volumes()
        if (self.labels is None) != (not self.task.classes):
            raise self._error("labels", "expected one label for each sample if the task has classes, otherwise None")
        if (
            self.labels is not None
            and n
            and not (self.labels.min() >= 0 and self.labels.max() < len(self.task.classes))
        ):
            found = f"{self.labels.min()}…{self.labels.max()}"
            raise self._error("labels", f"expected 0…{len(self.task.classes) - 1}, got {found}")

    def _check_volumes(self) -> None:
        """Check that all samples or none belong to a volume, and that a volume belongs to one patient."""
        if self.volumes is None:
            return
        if missing := [volume for volume in self.volumes if not volume]:
            raise self._error("volumes", f"expected a volume id for each sample, or volumes=None, got {missing[0]!r}")
        if problem := shared_volume(self.volumes, self.patients):
            raise self._error("volumes", problem)

    def _error(self, field: str, problem: str) -> DataError:
        return DataError(problem, where=f"{type(self).__name__}.{field}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def strata(self) -> NDArray[np.int64]:
        """Strata for splits, int64 [n]: the classes; all 0 for a task without classes."""
        return np.zeros(len(self), dtype=np.int64) if self.labels is None else self.labels

    def has_structure(self, positions: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each of the samples at `positions` contains any structure, bool [len(positions)]."""
        return np.asarray(self.masks[positions].any(axis=(1, 2, 3)))

    def part(self, positions: NDArray[np.integer]) -> "Samples":
        """Return the samples at `positions`, in that order, as separate read-only samples. Pixels are read on demand.

        Args:
            positions: Positions of the samples, 0-based.

        Raises:
            DataError: A position is outside 0…n-1.
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
            originals=None if self.originals is None else self.originals.subset(at),
        )

    def _positions(self, positions: NDArray[np.integer]) -> NDArray[np.int64]:
        at = np.asarray(positions)
        if at.ndim != 1 or (len(at) and (at.dtype.kind not in "iu" or at.min() < 0 or at.max() >= len(self))):
            raise DataError(f"expected positions 0…{len(self) - 1}", where=type(self).__name__, hint="count from 0")
        return at.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients and classes of a complete data set. Folds are made from them, so that subsets keep each patient's fold.

    Attributes:
        patients: Patient of every sample of the complete data set, None if unknown.
        labels: Class of every sample of the complete data set, int64 [n]; all 0 for a task without classes.
        folds: Stored fold of every patient; None if no folds are stored.
    """

    patients: tuple[str | None, ...]
    labels: NDArray[np.int64]
    folds: Mapping[str, int] | None = None


@dataclass(frozen=True, eq=False)
class Dataset(Samples):
    """n preprocessed samples in the order of their source, with their provenance.

    Attributes:
        folder: Folder of their files; None if there are no files.
        patient_source: Source of the patient ids; None if there are none.
        independent: The user declares that samples without a patient id are independent of each other.
        cohort: The complete data set that these samples are a part of; None if these samples are the complete set.
        image_digests: Digest of every image before resizing and scaling, uint64 [n]; None: computed from `images`.
        mask_digests: Digest of every mask at this size, uint64 [n]; None: computed on demand.
        official: Part of every sample in the official split, "train", "val" or "test"; None without such a split.
    """

    folder: Path | None = None
    patient_source: PatientSource | None = None
    independent: bool = False
    cohort: Cohort | None = None
    image_digests: Digests | None = None
    mask_digests: Digests | None = None
    official: tuple[str, ...] | None = None

    @property
    def whole(self) -> Cohort:
        """The complete data set that these samples are a part of."""
        return self.cohort or Cohort(self.patients, self.strata)

    @property
    def is_complete(self) -> bool:
        """Whether these are all samples of the data set, not a part of it."""
        return self.cohort is None or len(self.cohort.patients) == len(self)

    @cached_property
    def truth_digests(self) -> Digests:
        """Digest of every mask at this size, uint64 [n], computed when the data set was made or at first use."""
        if self.mask_digests is not None:
            return self.mask_digests
        return np.array([mask_digest(mask) for mask in self.masks], dtype=np.uint64)

    @cached_property
    def truth_fingerprint(self) -> str:
        """Fingerprint of ids, labels and masks at this size. If it is equal, measured numbers can be compared."""
        labels = () if self.labels is None else (self.labels,)
        return combined(self.ids, *labels, self.truth_digests)

    @cached_property
    def input_fingerprint(self) -> str:
        """Fingerprint of the images, independent of size and scaling. It differs between renderings of the data."""
        digests = self.image_digests
        if digests is None:
            digests = np.array([image_digest(image) for image in self.images], dtype=np.uint64)
        return combined(digests)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of truth and inputs, on which a model is trained. It does not include the patients."""
        return fingerprint.of(self.truth_fingerprint, self.input_fingerprint)

    def subset(self, positions: NDArray[np.integer]) -> "Dataset":
        """Return the samples at `positions` (0-based, in that order). Patients keep the folds of the complete data set.

        Raises:
            DataError: A position is outside 0…n-1.
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
            originals=None if self.originals is None else self.originals.subset(at),
            cohort=self.whole,
            image_digests=None if self.image_digests is None else self.image_digests[at],
            mask_digests=None if self.mask_digests is None else self.mask_digests[at],
            official=None if self.official is None else tuple(self.official[i] for i in at),
        )

    def limit(self, n: int) -> "Dataset":
        """Choose n samples with the class proportions of the data set, evenly spaced within each class, in order.

        The choice is deterministic. Every class that is present keeps at least one sample if n allows it.

        Raises:
            DataError: n is below 1 or above the number of samples.
        """
        if n not in Range(1, len(self), whole=True):
            raise DataError(f"expected 1…{len(self)} samples, got {n}", where="limit", hint="ask for fewer samples")
        chosen = []
        wanted = shares(np.bincount(self.strata, minlength=len(self.task.classes)).tolist(), n)
        for label, count in enumerate(wanted):
            members = np.flatnonzero(self.strata == label)
            chosen.append(members[(np.arange(count) * len(members)) // max(count, 1)])
        return self.subset(np.sort(np.concatenate(chosen)))
