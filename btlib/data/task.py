"""Definition of a task, independent of any model."""

import math
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RESERVED = "probability"
"""Prefix of the columns of class probabilities in a sample table. No structure or class may have this name."""

_Name = Annotated[str, Field(min_length=1)]
_Names = Annotated[tuple[_Name, ...], Field(strict=False)]  # JSON has lists
_Length = Annotated[float, Field(gt=0)]
_Margin = Annotated[tuple[_Name, Annotated[float, Field(gt=0)]], Field(strict=False)]


_ALLOWED = re.compile(r"\w[\w .%()+-]*")


class Score(BaseModel):
    """Number of each sample that the user computes: a custom column of a sample table, judged like a metric of btlib.

    Attributes:
        name: Name of the column: letters, digits, spaces and . _ % ( ) + -.
        direction: Whether higher or lower values are better.
        unit: Unit of the values, such as "s"; "1" for numbers without unit.
        range: Lowest and highest possible value; None for a side without a limit.
        version: Version of the definition; numbers of different versions are not comparable.
        margin: Largest loss of the mean that the gate tolerates, in `unit`; None if it is not declared here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    name: _Name
    direction: Literal["higher", "lower"] = "higher"
    unit: _Name = "1"
    range: Annotated[tuple[float | None, float | None], Field(strict=False)] = (None, None)
    version: Annotated[int, Field(ge=1)] = 1
    margin: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not _ALLOWED.fullmatch(self.name) or self.name == RESERVED:
            raise ValueError(f"name: expected letters, digits, spaces and . _ % ( ) + -, got {self.name!r}")
        low, high = self.limits
        if not low < high:
            raise ValueError(f"range: expected a lower limit below the upper limit, got {low:g} and {high:g}")
        if self.margin is not None and self.margin >= high - low:
            raise ValueError(f"margin: expected less than the width of the range, {high - low:g}, got {self.margin:g}")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest possible value; infinite for a side without a limit."""
        low, high = self.range
        return -math.inf if low is None else low, math.inf if high is None else high

    def differences(self, other: "Score | None") -> list[str]:
        """Return the differences from a baseline's definition of this score, whose numbers are then not comparable."""
        if other is None:
            return [f"score {self.name}: the baseline does not define it"]
        return [
            f"{field} of {self.name}: measured {getattr(self, field)!r}, baseline {getattr(other, field)!r}"
            for field in ("direction", "unit", "range", "version", "margin")
            if getattr(self, field) != getattr(other, field)
        ]


class Task(BaseModel):
    """Task of a model: to classify a sample, to segment structures in it, or both. Or numbers of any other task.

    Attributes:
        name: Name of the task, such as "figshare".
        classes: Names of the classes of a sample, in the order of their labels 0, 1 …; may be empty.
        structures: Names of the structures to segment, one mask each, in the order of the masks; may be empty.
        scores: Custom columns that are judged. A task with scores needs neither classes nor structures.
        group: What samples are grouped by, in messages: "patient", or for example "speaker".
        channels: Names of the channels of an image, at least one.
        spacing: Size of a pixel in mm, height and width; None if it is unknown or differs between samples.
        independent: Whether samples without a patient id are independent of each other.
        synthetic: Whether the samples are simulated. Every record and report states this.
        licence: Licence of the data; None if it is unknown.
        citation: Citation of the data, such as a DOI; None if no citation is required.
        margins: Metrics, each with the loss that the gate tolerates, in the metric's unit, if a baseline is accepted
            without another margin.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    name: _Name
    classes: _Names = ()
    structures: _Names = ()
    scores: Annotated[tuple[Score, ...], Field(strict=False)] = ()
    group: _Name = "patient"
    channels: Annotated[tuple[_Name, ...], Field(strict=False, min_length=1)] = ("intensity",)
    spacing: Annotated[tuple[_Length, _Length], Field(strict=False)] | None = None
    independent: bool = False
    synthetic: bool = False
    licence: str | None = None
    citation: str | None = None
    margins: Annotated[tuple[_Margin, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.classes or self.structures or self.scores):
            raise ValueError("expected classes, structures, or both; or scores")
        scores = tuple(score.name for score in self.scores)
        if len(set(scores)) != len(scores):
            raise ValueError("scores: a name occurs more than once")
        for field in ("classes", "structures", "channels"):
            names = getattr(self, field)
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: a name occurs more than once")
            if any("/" in name for name in names):
                raise ValueError(f"{field}: a name must not contain a slash")
            if RESERVED in names and field != "channels":
                raise ValueError(f"{field}: the name {RESERVED!r} is reserved")
        return self

    @property
    def has_images(self) -> bool:
        """Whether a model predicts classes or structures from images; otherwise the samples have scores only."""
        return bool(self.classes or self.structures)

    def score(self, name: str) -> Score | None:
        """Return the score of this name; None if there is none."""
        return next((score for score in self.scores if score.name == name), None)

    @property
    def shape(self) -> dict[str, list[str]]:
        """Names of channels, structures and classes. They determine the shape of a model's input and output."""
        return {name: list(getattr(self, name)) for name in ("channels", "structures", "classes")}

    @property
    def question(self) -> tuple[str, tuple[str, ...], tuple[str, ...], bool]:
        """Fields that must be equal for two results to be comparable: name, classes, structures and `synthetic`."""
        return self.name, self.classes, self.structures, self.synthetic
