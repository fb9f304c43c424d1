"""Definition of a task, independent of any model."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RESERVED = "probability"
"""Prefix of the columns of class probabilities in a sample table. No structure or class may have this name."""

_Name = Annotated[str, Field(min_length=1)]
_Names = Annotated[tuple[_Name, ...], Field(strict=False)]  # JSON has lists
_Length = Annotated[float, Field(gt=0)]


class Task(BaseModel):
    """Task of a model: to classify a sample, to segment structures in it, or both.

    Attributes:
        name: Name of the task, such as "figshare".
        classes: Names of the classes of a sample, in the order of their labels 0, 1 …; may be empty.
        structures: Names of the structures to segment, one mask each, in the order of the masks; may be empty.
        channels: Names of the channels of an image, at least one.
        spacing: Size of a pixel in mm, height and width; None if it is unknown or differs between samples.
        independent: Whether samples without a patient id are independent of each other.
        synthetic: Whether the samples are simulated. Every record and report states this.
        licence: Licence of the data; None if it is unknown.
        citation: Citation of the data, such as a DOI; None if no citation is required.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    name: _Name
    classes: _Names = ()
    structures: _Names = ()
    channels: Annotated[tuple[_Name, ...], Field(strict=False, min_length=1)] = ("intensity",)
    spacing: Annotated[tuple[_Length, _Length], Field(strict=False)] | None = None
    independent: bool = False
    synthetic: bool = False
    licence: str | None = None
    citation: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.classes or self.structures):
            raise ValueError("expected classes, structures, or both")
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
    def shape(self) -> dict[str, list[str]]:
        """Names of channels, structures and classes. They determine the shape of a model's input and output."""
        return {name: list(getattr(self, name)) for name in ("channels", "structures", "classes")}

    @property
    def question(self) -> tuple[str, tuple[str, ...], tuple[str, ...], bool]:
        """Fields that must be equal for two results to be comparable: name, classes, structures and `synthetic`."""
        return self.name, self.classes, self.structures, self.synthetic
