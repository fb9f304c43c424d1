"""The per-slice table: what every mean, interval and test of a case is a view of."""

from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from btlib.metrics import dice_from_counts, iou_from_counts
from btlib.types import CLASS_NAMES, N_CLASSES

if TYPE_CHECKING:
    import pandas as pd

BOUNDARY = ("hd95", "surface_dice_1px", "surface_dice_2px")
"""Columns that need the masks themselves and cannot be had from counts of pixels."""

_Area = Annotated[int, Field(ge=0)]
_Probability = Annotated[float, Field(ge=0, le=1)]


class SliceTable(BaseModel):
    """One row a slice, kept by column; whole numbers and rounded ones only, so that it survives JSON unchanged.

    Attributes:
        number: File numbers, each once.
        label: True tumour types, 0…2.
        patient: Patient ids, None where unknown.
        truth_area: Pixels of the true mask at the size of the protocol.
        intersection: Pixels in both masks; None for a model without masks.
        pred_area: Pixels of the predicted mask; None for a model without masks.
        class_prob: Probabilities of the tumour types [n][3]; None for a model without classes.
        hd95: 95th-percentile Hausdorff distance in pixels, the image's diagonal for a miss; None for a model without
            masks, or where it was not measured. Two empty masks have no distance, and cannot stand in it.
        surface_dice_1px: Normalised surface Dice at 1 pixel, 0…1; None like `hd95`.
        surface_dice_2px: The same at 2 pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    number: Annotated[list[int], Field(min_length=1)]
    label: list[Annotated[int, Field(ge=0, lt=N_CLASSES)]]
    patient: list[str | None]
    truth_area: list[_Area]
    intersection: list[_Area] | None = None
    pred_area: list[_Area] | None = None
    class_prob: list[Annotated[list[_Probability], Field(min_length=N_CLASSES, max_length=N_CLASSES)]] | None = None
    hd95: list[Annotated[float, Field(ge=0)]] | None = None
    surface_dice_1px: list[_Probability] | None = None
    surface_dice_2px: list[_Probability] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in type(self).model_fields:
            column = getattr(self, name)
            if column is not None and len(column) != self.n:
                raise ValueError(f"{name}: expected {self.n} values, got {len(column)}")
        if len(set(self.number)) != self.n:
            raise ValueError("number: a slice stands in it more than once")
        if (self.intersection is None) != (self.pred_area is None):
            raise ValueError("intersection and pred_area: expected both or neither")
        boundary = {self.hd95 is None, self.surface_dice_1px is None, self.surface_dice_2px is None}
        if len(boundary) > 1 or (False in boundary and not self.has_mask):
            raise ValueError("hd95, surface_dice_1px and surface_dice_2px: expected all, beside masks, or none")
        if not (self.has_mask or self.has_classes):
            raise ValueError("expected masks (intersection, pred_area), classes (class_prob), or both")
        if self.intersection is not None and self.pred_area is not None:
            smaller = np.minimum(self.pred_area, self.truth_area)
            if (np.array(self.intersection) > smaller).any():
                raise ValueError("intersection: larger than one of the two masks")
        if self.hd95 is not None:
            self._check_boundary()
        if self.class_prob is not None and (np.abs(np.sum(self.class_prob, axis=1) - 1) > 2e-3).any():
            raise ValueError("class_prob: each row must sum to 1")
        return self

    def _check_boundary(self) -> None:
        """A miss is a miss in every column: numbers that contradict each other were edited, or joined wrongly."""
        pred, truth, hd95 = np.array(self.pred_area), np.array(self.truth_area), np.array(self.hd95)
        one, two = np.array(self.surface_dice_1px), np.array(self.surface_dice_2px)
        if ((pred == 0) & (truth == 0)).any():
            raise ValueError("hd95: has no value where both masks are empty; leave slices without a tumour out")
        if (((pred == 0) | (truth == 0)) & ((two > 0) | (hd95 == 0))).any():
            raise ValueError("hd95 and surface_dice_2px: one mask is empty, and yet they are not those of a miss")
        if (one > two).any():
            raise ValueError("surface_dice_1px: larger than at 2 pixels")

    @property
    def n(self) -> int:
        """How many slices."""
        return len(self.number)

    @property
    def has_mask(self) -> bool:
        """Whether there are masks."""
        return self.intersection is not None

    @property
    def has_classes(self) -> bool:
        """Whether there are tumour types."""
        return self.class_prob is not None

    @property
    def has_boundary(self) -> bool:
        """Whether distances between boundaries were measured."""
        return self.hd95 is not None

    def dice(self) -> NDArray[np.float64]:
        """Dice of every slice, float64 [n]; only where `has_mask`."""
        return dice_from_counts(*self._overlap())

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of every slice, float64 [n]; only where `has_mask`."""
        return iou_from_counts(*self._overlap())

    def predicted(self) -> NDArray[np.int64]:
        """The most probable type of every slice, int64 [n]; only where `has_classes`."""
        return np.asarray(np.argmax(np.array(self.class_prob), axis=1), dtype=np.int64)

    def correct(self) -> NDArray[np.bool_]:
        """Whether the most probable type is the true one, bool [n]; only where `has_classes`."""
        return np.asarray(self.predicted() == np.array(self.label))

    def to_frame(self) -> "pd.DataFrame":
        """A data frame with the derived columns (Dice, IoU, predicted type, one column a probability)."""
        import pandas as pd

        frame = pd.DataFrame({name: getattr(self, name) for name in ("number", "label", "patient", "truth_area")})
        if self.has_mask:
            frame = frame.assign(
                intersection=self.intersection, pred_area=self.pred_area, dice=self.dice(), iou=self.iou()
            )
        if self.has_boundary:
            frame = frame.assign(**{name: getattr(self, name) for name in BOUNDARY})
        if self.class_prob is not None:
            columns = {f"prob_{name}": [row[k] for row in self.class_prob] for k, name in enumerate(CLASS_NAMES)}
            frame = frame.assign(predicted=self.predicted(), correct=self.correct(), **columns)
        return frame

    def _overlap(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        intersection, pred_area = np.array(self.intersection), np.array(self.pred_area)
        return intersection, pred_area, np.array(self.truth_area)
