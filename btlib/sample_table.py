"""Table of samples, from which every mean, interval and test of a case is computed."""

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
"""Measure of a structure: number of pixels of its true mask, at the image size of the protocol."""

OVERLAP = ("intersection", "pred_area")
"""Measures of a structure: number of pixels in both masks, and in the predicted mask."""

BOUNDARY = ("hd95", "surface_dice_1px", "surface_dice_2px")
"""Measures of a structure that need the masks and cannot be computed from counts of pixels."""

MILLIMETRES = ("hd95_mm", "surface_dice_2mm")
"""Measures of a structure on the grid of the source, for samples whose size of a pixel is known."""

_SUM_TOLERANCE = 2e-3
TAKEN = {"schema", "case", "seed", "id", "label", "patient", "volume", "predicted", "correct", "size"}
"""Columns of a table in a file. No custom column may have one of these names."""
_MOST_PIXELS = 2**53  # up to this value, integers are exact as float64
_Column = list[int | float | None]
_Id = Annotated[str, Field(min_length=1)]


class SampleTable(BaseModel):
    """Table with one row per sample, stored by column. Columns contain numbers only, which JSON preserves exactly.

    Columns of a structure are named `<structure>/<measure>`: `truth_area`; for a model with masks also `intersection`
    and `pred_area`; and if they were measured, `hd95` (in pixels; the image's diagonal for a miss), `surface_dice_1px`
    and `surface_dice_2px` (0…1). If both masks are empty, these three have no value and are None. If the size of a
    pixel is known, `hd95_mm` (the original image's diagonal for a miss) and `surface_dice_2mm` compare the masks on the
    grid of the source; they are None for samples without known spacing, and if both masks are empty. Class
    probabilities are named `probability/<class>`. All other columns are custom columns of the user.

    Attributes:
        id: Unique ids of the samples.
        label: True classes 0…c-1; None for a task without classes.
        patient: Patient ids, None if unknown.
        volume: Ids of the volumes that the samples belong to; None if the samples belong to no volumes.
        classes: Names of the classes.
        structures: Names of the structures.
        columns: Name → one number for each sample, None if it has no value.
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
        """Whether all fields are equal; cached arrays are not compared."""
        return isinstance(other, SampleTable) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # lists are not hashable

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, column in {"label": self.label, "patient": self.patient, "volume": self.volume}.items():
            self._check_length(name, column)
        for name, values in self.columns.items():
            self._check_length(f"columns.{name}", values)
        if len(set(self.id)) != self.n:
            raise ValueError("id: a sample occurs more than once")
        if (self.label is None) != (not self.classes):
            raise ValueError("label: expected one label for each sample if there are classes, otherwise None")
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
        if self.has_millimetres:
            self._check_millimetres()
        if self.has_classes:
            self._check_probabilities()
        return self

    def _check_length(self, name: str, column: Sequence[object] | None) -> None:
        if column is not None and len(column) != self.n:
            raise ValueError(f"{name}: expected {self.n} values, got {len(column)}")

    def _check_names(self) -> None:
        """Check that names are valid, and that of the columns that belong together all or none are present."""
        for field, names in {"classes": self.classes, "structures": self.structures}.items():
            if len(set(names)) < len(names) or any("/" in name or not name or name == RESERVED for name in names):
                raise ValueError(f"{field}: expected different names without a slash, got {', '.join(names)}")
        for structure in self.structures:
            if f"{structure}/{TRUTH}" not in self.columns:
                raise ValueError(f"columns: {structure}/{TRUTH} is missing")
        groups = [OVERLAP, BOUNDARY, MILLIMETRES]
        wanted = [[f"{s}/{m}" for s in self.structures for m in measures] for measures in groups]
        for names in (*wanted, self._probabilities):
            there = [name for name in names if name in self.columns]
            if there and len(there) < len(names):
                missing = next(name for name in names if name not in self.columns)
                raise ValueError(f"columns: {there[0]} is present, but {missing} is missing")
        for names in wanted[1:]:
            if names and names[0] in self.columns and not self.has_mask:
                raise ValueError(f"columns: {names[0]} needs {wanted[0][0]}")
        known = {
            *(name for names in wanted for name in names),
            *self._probabilities,
            *(f"{s}/{TRUTH}" for s in self.structures),
        }
        if taken := [name for name in self.columns if name in TAKEN]:
            raise ValueError(f"columns: the name {taken[0]!r} is reserved by btlib")
        strange = [name for name in self.columns if name not in known and ("/" in name or not name)]
        if strange:
            raise ValueError(f"columns: {strange[0]!r} is neither a measure of a structure nor of a class")
        if self.columns.keys() <= {f"{s}/{TRUTH}" for s in self.structures}:
            raise ValueError("columns: expected measures of masks, class probabilities, or custom columns")

    def _check_counts(self) -> None:
        """Check the pixel counts. True masks are always checked: they group the samples by size."""
        for name in (f"{structure}/{measure}" for structure in self.structures for measure in (TRUTH, *OVERLAP)):
            if any(type(value) is not int or not 0 <= value < _MOST_PIXELS for value in self.columns.get(name, [])):
                raise ValueError(f"columns.{name}: expected whole numbers from 0")

    def _check_overlap(self) -> None:
        intersection, pred, truth = self.overlap()
        if (intersection > np.minimum(pred, truth)).any():
            raise ValueError("intersection: larger than one of the two masks")

    def _check_boundary(self) -> None:
        """Check that the boundary measures are consistent; contradictory values were edited or joined wrongly."""
        _, pred, truth = self.overlap()
        hd95, one, two = (self.measure(name) for name in BOUNDARY)
        nothing = (pred == 0) & (truth == 0)
        for name, values in zip(BOUNDARY, (hd95, one, two), strict=True):
            if (np.isnan(values) != nothing).any():
                raise ValueError(f"{name}: expected None if both masks are empty, and a value otherwise")
            if (values < 0).any() or (name != "hd95" and (values > 1).any()):
                raise ValueError(f"{name}: a value is out of its range")
        missed = ((pred == 0) | (truth == 0)) & ~nothing
        if (missed & ((two > 0) | (hd95 == 0))).any():
            raise ValueError("hd95 and surface_dice_2px: expected the values of a miss, because one mask is empty")
        if (one > two).any():
            raise ValueError("surface_dice_1px: larger than at 2 pixels")

    def _check_millimetres(self) -> None:
        distance, share = (self.measure(name) for name in MILLIMETRES)
        if (np.isnan(distance) != np.isnan(share)).any():
            raise ValueError(f"{' and '.join(MILLIMETRES)}: expected values of the same samples")
        if (distance < 0).any() or ((share < 0) | (share > 1)).any():
            raise ValueError(f"{' or '.join(MILLIMETRES)}: a value is out of its range")

    def _check_probabilities(self) -> None:
        given = self.class_prob
        if not ((given >= 0) & (given <= 1)).all():
            raise ValueError("probability: expected numbers in 0…1 for each sample and class")
        if (np.abs(given.sum(axis=1) - 1) > _SUM_TOLERANCE).any():
            raise ValueError("probability: the values of each sample must sum to 1")

    @property
    def _probabilities(self) -> list[str]:
        return [f"{RESERVED}/{name}" for name in self.classes]

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.id)

    @property
    def has_mask(self) -> bool:
        """Whether the table has measures of predicted masks."""
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
    def has_millimetres(self) -> bool:
        """Whether distances in mm were measured. They may still be unknown for some or all samples."""
        return bool(self.structures) and f"{self.structures[0]}/{MILLIMETRES[0]}" in self.columns

    @property
    def has_volumes(self) -> bool:
        """Whether there are predicted masks of samples that are parts of volumes."""
        return self.volume is not None and self.has_mask

    @property
    def custom(self) -> list[str]:
        """Names of the custom columns; all other columns have a slash in their names."""
        return [name for name in self.columns if "/" not in name]

    @property
    def labels(self) -> NDArray[np.int64]:
        """True classes, int64 [n]; only if there are classes."""
        return np.array(self.label, dtype=np.int64)

    @property
    def class_prob(self) -> NDArray[np.float64]:
        """Class probabilities, float64 [n, c]; only if `has_classes`."""
        return self._stacked("", self._probabilities)

    @property
    def truth_area(self) -> NDArray[np.int64]:
        """Pixels of the true masks, int64 [n, k]."""
        return self._whole(TRUTH)

    def overlap(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pixels in both masks, in the predicted mask and in the true mask, int64 [n, k] each; only if `has_mask`."""
        return self._whole(OVERLAP[0]), self._whole(OVERLAP[1]), self.truth_area

    def measure(self, name: str) -> NDArray[np.float64]:
        """Measure of all structures, float64 [n, k], NaN if a sample has no value."""
        return self._stacked(name, [f"{structure}/{name}" for structure in self.structures])

    def predicted(self) -> NDArray[np.int64]:
        """Most probable class of every sample, int64 [n], the first of equal ones; only if `has_classes`."""
        return np.asarray(np.argmax(self.class_prob, axis=1), dtype=np.int64)

    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable class is the true class, bool [n]; only if `has_classes`."""
        return np.asarray(self.predicted() == self.labels)

    @classmethod
    def together(cls, tables: "Sequence[SampleTable]") -> "SampleTable":
        """Concatenate the rows of several tables of one task, in their order.

        Raises:
            ValueError: The tables have different columns, classes or structures, or a sample is in two of them.
        """
        first = tables[0]
        for table in tables[1:]:
            alike = (table.classes, table.structures) == (first.classes, first.structures)
            if not alike or table.columns.keys() != first.columns.keys():
                raise ValueError("the tables have different columns, classes or structures")
            if (table.label is None, table.volume is None) != (first.label is None, first.volume is None):
                raise ValueError("some tables have labels or volumes, and others have none")
        name, times = Counter(name for table in tables for name in table.id).most_common(1)[0]
        if times > 1:
            raise ValueError(f"sample {name} is in {times} of the tables")
        rows: dict[str, Any] = {
            name: None
            if getattr(first, name) is None
            else [value for table in tables for value in getattr(table, name)]
            for name in ("id", "label", "patient", "volume")
        }
        columns = {name: [value for table in tables for value in table.columns[name]] for name in first.columns}
        return cls(**rows, classes=first.classes, structures=first.structures, columns=columns)

    def of_structure(self, structure: str) -> "SampleTable":
        """Return the same samples with one structure only, without the columns of the other structures."""
        others = tuple(f"{name}/" for name in self.structures if name != structure)
        columns = {name: values for name, values in self.columns.items() if not name.startswith(others)}
        fields = {name: getattr(self, name) for name in ("id", "label", "patient", "volume", "classes")}
        return SampleTable(**fields, structures=[structure], columns=columns)

    def by_volume(self) -> "SampleTable | None":
        """Return a table with one row per volume; pixels are summed over its samples. None without masks or volumes.

        Boundary distances and class probabilities of single samples cannot be pooled and are left out.
        """
        if self.volume is None or not self.has_volumes:
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
        """Data frame of ids, truth and all columns; with class probabilities also `predicted` and `correct`."""
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
        """Stack the named columns into an array [n, len(names)], which is cached."""
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
    """Make a table from arrays.

    Args:
        task: Task, which names the classes and structures.
        ids: Ids of the samples [n].
        patients: Patients of the samples [n], None if unknown.
        labels: True classes [n]; None for a task without classes.
        volumes: Volumes of the samples [n]; None if the samples belong to no volumes.
        measures: Measure → its values [n, k] by structure, NaN if a sample has none; `truth_area` is required.
        class_prob: Class probabilities [n, c]; None for a model without classes.

    Raises:
        ValueError: The values do not form a valid `SampleTable` (pydantic's ValidationError).
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
    """Check that a table belongs to a task.

    Raises:
        ValueError: The table has other classes or structures than the task, or a score is out of its range.
    """
    if table is None:
        return
    for score in task.scores:
        low, high = score.limits
        values = [value for value in table.columns.get(score.name, []) if value is not None]
        if wrong := [value for value in values if not low <= value <= high]:
            raise ValueError(f"samples.{score.name}: expected values in {low:g}…{high:g}, got {wrong[0]:g}")
    for field in ("classes", "structures"):
        ours, theirs = getattr(table, field), list(getattr(task, field))
        if ours != theirs:
            raise ValueError(f"samples.{field}: expected {', '.join(theirs)} as in the task, got {', '.join(ours)}")


def _plain(values: NDArray[Any]) -> _Column:
    if values.dtype.kind in "iub":
        return [int(value) for value in values]
    return [None if np.isnan(value) else float(value) for value in values]
