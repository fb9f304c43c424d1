"""The table of samples: what every mean, interval and test of a case is a view of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from btlib.data.patients import shared_volume
from btlib.data.task import RESERVED, Task

if TYPE_CHECKING:
    import pandas as pd

TRUTH = "truth_area"
"""Measure of a structure: pixels of its true mask at the size of the protocol."""

OVERLAP = ("intersection", "pred_area")
"""Measures of a structure: pixels in both masks, and in the predicted one."""

BOUNDARY = ("hd95", "surface_dice_1px", "surface_dice_2px")
"""Measures of a structure that need the masks themselves and cannot be had from counts of pixels."""

_SUM_TOLERANCE = 2e-3
_TAKEN = {"schema", "case", "seed", "id", "label", "patient", "volume", "predicted", "correct", "size"}
"""Columns of a table in a file, which no column of a user's own may replace."""
_MOST_PIXELS = 2**53  # up to it, a floating-point number is exact
_Column = list[int | float | None]
_Id = Annotated[str, Field(min_length=1)]


class SampleTable(BaseModel):
    """One row a sample, stored by column; numbers only, so that it survives JSON unchanged.

    Columns of a structure are called `<structure>/<measure>`: `truth_area`, and for a model with masks `intersection`,
    `pred_area` and, where they were measured, `hd95` (pixels; the image's diagonal for a miss), `surface_dice_1px` and
    `surface_dice_2px` (0…1). Where both masks are empty a distance has no value and is None. Class probabilities are
    `probability/<class>`. Any other column is the user's own.

    Attributes:
        id: Ids of the samples, each once.
        label: True classes 0…c-1; None for a task without classes.
        patient: Patient ids, None where unknown.
        volume: Ids of the volumes that the samples are parts of; None where samples stand alone.
        classes: Names of the classes.
        structures: Names of the structures.
        columns: Name → one number for each sample, None where it has no value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    id: Annotated[list[_Id], Field(min_length=1)]
    label: list[Annotated[int, Field(ge=0)]] | None = None
    patient: list[str | None]
    volume: list[_Id] | None = None
    classes: list[str] = []
    structures: list[str] = []
    columns: dict[str, _Column] = {}
    _arrays: dict[str, NDArray[Any]] = PrivateAttr(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether all fields are equal; arrays that were made of them do not count."""
        return isinstance(other, SampleTable) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # its lists have none

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, column in {"label": self.label, "patient": self.patient, "volume": self.volume}.items():
            self._check_length(name, column)
        for name, values in self.columns.items():
            self._check_length(f"columns.{name}", values)
        if len(set(self.id)) != self.n:
            raise ValueError("id: a sample stands in it more than once")
        if (self.label is None) != (not self.classes):
            raise ValueError("label: expected one for each sample where there are classes, and none elsewhere")
        if self.label is not None and max(self.label) >= len(self.classes):
            raise ValueError(f"label: expected 0…{len(self.classes) - 1}, got {max(self.label)}")
        self._check_names()
        if self.volume is not None and (problem := shared_volume(self.volume, self.patient)):
            raise ValueError(f"volume: {problem}")
        self._check_counts()
        if self.has_mask:
            self._check_overlap()
        if self.has_boundary:
            self._check_boundary()
        if self.has_classes:
            self._check_probabilities()
        return self

    def _check_length(self, name: str, column: Sequence[object] | None) -> None:
        if column is not None and len(column) != self.n:
            raise ValueError(f"{name}: expected {self.n} values, got {len(column)}")

    def _check_names(self) -> None:
        """Names as a task has them; of columns that belong together, all are there or none."""
        for field, names in {"classes": self.classes, "structures": self.structures}.items():
            if len(set(names)) < len(names) or any("/" in name or not name or name == RESERVED for name in names):
                raise ValueError(f"{field}: expected different names without a slash, got {', '.join(names)}")
        for structure in self.structures:
            if f"{structure}/{TRUTH}" not in self.columns:
                raise ValueError(f"columns: {structure}/{TRUTH} is missing")
        groups = [OVERLAP, BOUNDARY]
        wanted = [[f"{s}/{m}" for s in self.structures for m in measures] for measures in groups]
        for names in (*wanted, self._probabilities):
            there = [name for name in names if name in self.columns]
            if there and len(there) < len(names):
                missing = next(name for name in names if name not in self.columns)
                raise ValueError(f"columns: {there[0]} is there, and {missing} is not")
        if wanted[1] and wanted[1][0] in self.columns and not self.has_mask:
            raise ValueError(f"columns: {wanted[1][0]} needs {wanted[0][0]}")
        known = {*wanted[0], *wanted[1], *self._probabilities, *(f"{s}/{TRUTH}" for s in self.structures)}
        if taken := [name for name in self.columns if name in _TAKEN]:
            raise ValueError(f"columns: {taken[0]!r} is a name of btlib's own")
        strange = [name for name in self.columns if name not in known and ("/" in name or not name)]
        if strange:
            raise ValueError(f"columns: {strange[0]!r} is neither a measure of a structure nor of a class")
        if self.columns.keys() <= {f"{s}/{TRUTH}" for s in self.structures}:
            raise ValueError("columns: expected measures of masks, probabilities of classes, or other numbers")

    def _check_counts(self) -> None:
        """Of true masks also where there are no others: samples are told apart by size with them."""
        for name in (f"{structure}/{measure}" for structure in self.structures for measure in (TRUTH, *OVERLAP)):
            if any(type(value) is not int or not 0 <= value < _MOST_PIXELS for value in self.columns.get(name, [])):
                raise ValueError(f"columns.{name}: expected whole numbers from 0")

    def _check_overlap(self) -> None:
        intersection, pred, truth = self.overlap()
        if (intersection > np.minimum(pred, truth)).any():
            raise ValueError("intersection: larger than one of the two masks")

    def _check_boundary(self) -> None:
        """A miss is a miss in every column: numbers that contradict each other were edited, or joined wrongly."""
        _, pred, truth = self.overlap()
        hd95, one, two = (self.measure(name) for name in BOUNDARY)
        nothing = (pred == 0) & (truth == 0)
        for name, values in zip(BOUNDARY, (hd95, one, two), strict=True):
            if (np.isnan(values) != nothing).any():
                raise ValueError(f"{name}: expected no value where both masks are empty, and one elsewhere")
            if (values < 0).any() or (name != "hd95" and (values > 1).any()):
                raise ValueError(f"{name}: a value is out of its range")
        missed = ((pred == 0) | (truth == 0)) & ~nothing
        if (missed & ((two > 0) | (hd95 == 0))).any():
            raise ValueError("hd95 and surface_dice_2px: one mask is empty, and yet they are not those of a miss")
        if (one > two).any():
            raise ValueError("surface_dice_1px: larger than at 2 pixels")

    def _check_probabilities(self) -> None:
        given = self.class_prob
        if not ((given >= 0) & (given <= 1)).all():
            raise ValueError("probability: expected numbers in 0…1 for each sample and class")
        if (np.abs(given.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
            raise ValueError("probability: those of each sample must sum to 1")

    @property
    def _probabilities(self) -> list[str]:
        return [f"{RESERVED}/{name}" for name in self.classes]

    @property
    def n(self) -> int:
        """How many samples."""
        return len(self.id)

    @property
    def has_mask(self) -> bool:
        """Whether there are masks."""
        return bool(self.structures) and f"{self.structures[0]}/{OVERLAP[0]}" in self.columns

    @property
    def has_classes(self) -> bool:
        """Whether there are class probabilities."""
        return bool(self.classes) and self._probabilities[0] in self.columns

    @property
    def has_boundary(self) -> bool:
        """Whether distances between boundaries were measured."""
        return bool(self.structures) and f"{self.structures[0]}/{BOUNDARY[0]}" in self.columns

    @property
    def labels(self) -> NDArray[np.int64]:
        """True classes, int64 [n]; only where there are classes."""
        return np.array(self.label, dtype=np.int64)

    @property
    def class_prob(self) -> NDArray[np.float64]:
        """Class probabilities, float64 [n, c]; only where `has_classes`."""
        return self._stacked("", self._probabilities)

    @property
    def truth_area(self) -> NDArray[np.int64]:
        """Pixels of the true masks, int64 [n, k]."""
        return self._whole(TRUTH)

    def overlap(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pixels in both masks, in the predicted one and in the true one, int64 [n, k]; only where `has_mask`."""
        return self._whole(OVERLAP[0]), self._whole(OVERLAP[1]), self.truth_area

    def measure(self, name: str) -> NDArray[np.float64]:
        """A measure of all structures, float64 [n, k], NaN where a sample has no value."""
        return self._stacked(name, [f"{structure}/{name}" for structure in self.structures])

    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of every sample, int64 [n], the first of equal ones; only where `has_classes`."""
        return np.asarray(np.argmax(self.class_prob, axis=1), dtype=np.int64)

    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the true one, bool [n]; only where `has_classes`."""
        return np.asarray(self.predicted() == self.labels)

    @classmethod
    def together(cls, tables: "Sequence[SampleTable]") -> "SampleTable":
        """The rows of several tables of one task, in their order.

        Raises:
            ValueError: They have different columns, classes or structures, or a sample stands in two of them.
        """
        first = tables[0]
        for table in tables[1:]:
            alike = (table.classes, table.structures) == (first.classes, first.structures)
            if not alike or table.columns.keys() != first.columns.keys():
                raise ValueError("they have different columns, classes or structures")
            if (table.label is None, table.volume is None) != (first.label is None, first.volume is None):
                raise ValueError("some have labels or volumes, and others have none")
        name, times = Counter(name for table in tables for name in table.id).most_common(1)[0]
        if times > 1:
            raise ValueError(f"sample {name} stands in {times} of them")
        rows: dict[str, Any] = {
            name: None
            if getattr(first, name) is None
            else [value for table in tables for value in getattr(table, name)]
            for name in ("id", "label", "patient", "volume")
        }
        columns = {name: [value for table in tables for value in table.columns[name]] for name in first.columns}
        return cls(**rows, classes=first.classes, structures=first.structures, columns=columns)

    def of_structure(self, structure: str) -> "SampleTable":
        """The same samples with one structure only; other columns stay."""
        others = tuple(f"{name}/" for name in self.structures if name != structure)
        columns = {name: values for name, values in self.columns.items() if not name.startswith(others)}
        fields = {name: getattr(self, name) for name in ("id", "label", "patient", "volume", "classes")}
        return SampleTable(**fields, structures=[structure], columns=columns)

    def by_volume(self) -> "SampleTable | None":
        """One row a volume: pixels are summed over its samples. None where no masks can be pooled.

        Distances between boundaries and class probabilities are of single samples, and are left out.
        """
        if self.volume is None or not self.has_mask:
            return None
        first = {volume: i for i, volume in reversed(list(enumerate(self.volume)))}
        volumes = list(dict.fromkeys(self.volume))
        place = {volume: i for i, volume in enumerate(volumes)}
        of = np.array([place[volume] for volume in self.volume])
        columns: dict[str, _Column] = {}
        for structure in self.structures:
            for measure in (TRUTH, *OVERLAP):
                name = f"{structure}/{measure}"
                counts = np.bincount(of, weights=np.array(self.columns[name], dtype=np.float64))
                columns[name] = [int(count) for count in counts]
        patients = [self.patient[first[volume]] for volume in volumes]
        return SampleTable(id=volumes, patient=patients, structures=self.structures, columns=columns)

    def to_frame(self) -> "pd.DataFrame":
        """A data frame: ids, truth, and every column under its name; for classes also `predicted` and `correct`."""
        import pandas as pd

        rows: dict[str, Any] = {"id": self.id, "label": self.label, "patient": self.patient, "volume": self.volume}
        frame = pd.DataFrame({name: values for name, values in rows.items() if values is not None} | self.columns)
        return frame.assign(predicted=self.predicted(), correct=self.correct()) if self.has_classes else frame

    def _whole(self, measure: str) -> NDArray[np.int64]:
        if measure not in self._arrays:
            self._arrays[measure] = self.measure(measure).astype(np.int64)
            self._arrays[measure].flags.writeable = False
        return self._arrays[measure]

    def _stacked(self, key: str, names: Sequence[str]) -> NDArray[np.float64]:
        """Columns beside each other, made once: [n, how many]."""
        key = f"{key}/stacked"
        if key not in self._arrays:
            columns = [np.array(self.columns[name], dtype=np.float64) for name in names]  # None becomes NaN
            self._arrays[key] = np.stack(columns, axis=1) if columns else np.empty((self.n, 0))
            self._arrays[key].flags.writeable = False
        found: NDArray[np.float64] = self._arrays[key]
        return found


def sample_table(
    task: Task,
    ids: Sequence[str],
    patients: Sequence[str | None],
    *,
    labels: Sequence[int] | NDArray[np.integer] | None = None,
    volumes: Sequence[str] | None = None,
    measures: Mapping[str, NDArray[Any]] = {},
    class_prob: NDArray[np.floating] | None = None,
) -> SampleTable:
    """A table from arrays.

    Args:
        task: Names classes and structures.
        ids: Of the samples, n of them.
        patients: Their patients, None where unknown.
        labels: True classes [n]; None for a task without classes.
        volumes: The volumes they are parts of; None where samples stand alone.
        measures: Measure → its values [n, k] by structure, NaN where a sample has none; `truth_area` among them.
        class_prob: Class probabilities [n, c]; None for a model without classes.

    Raises:
        ValueError: As said for `SampleTable` (pydantic's ValidationError).
    """
    columns: dict[str, _Column] = {}
    for k, structure in enumerate(task.structures):
        columns |= {f"{structure}/{name}": _plain(values[:, k]) for name, values in measures.items()}
    if class_prob is not None:
        columns |= {f"{RESERVED}/{name}": class_prob[:, k].tolist() for k, name in enumerate(task.classes)}
    return SampleTable(
        id=list(ids),
        label=None if labels is None else [int(label) for label in labels],
        patient=list(patients),
        volume=None if volumes is None else list(volumes),
        classes=list(task.classes),
        structures=list(task.structures),
        columns=columns,
    )


def require_task(table: SampleTable | None, task: Task) -> None:
    """Refuse a table of another task.

    Raises:
        ValueError: Other classes or structures.
    """
    if table is None:
        return
    for field in ("classes", "structures"):
        ours, theirs = getattr(table, field), list(getattr(task, field))
        if ours != theirs:
            raise ValueError(f"samples.{field}: {', '.join(ours)}; the task has {', '.join(theirs)}")


def _plain(values: NDArray[Any]) -> _Column:
    if values.dtype.kind in "iub":
        return [int(value) for value in values]
    return [None if np.isnan(value) else float(value) for value in values]
