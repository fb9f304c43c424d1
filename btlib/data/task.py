"""A task: what is asked of a model, and nothing of how it answers."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RESERVED = "probability"
"""Begins the columns of class probabilities in a table of samples, so no structure may be called so."""

_Name = Annotated[str, Field(min_length=1)]
_Names = Annotated[tuple[_Name, ...], Field(strict=False)]  # JSON has lists
_Length = Annotated[float, Field(gt=0)]


class Task(BaseModel):
    """What is asked of a model: classes of a whole sample, structures in it, or both.

    Attributes:
        name: Such as "figshare".
        classes: Names of the classes that a whole sample can have, in the order of their labels 0, 1 …; may be empty.
        structures: Names of what is segmented, one mask each, in the order of the mask's channels; may be empty.
        channels: Names of the channels of an image, at least one.
        spacing: Size of a pixel in mm, height and width; None where it is unknown or differs between samples.
        independent: Samples without a patient id are independent of each other.
        synthetic: The samples are simulated. Every record and report says so.
        licence: Of the data; None where it is unknown.
        citation: How the data are cited, such as a DOI; None where nobody asks for one.
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
                raise ValueError(f"{field}: a name stands in it more than once")
            if any("/" in name for name in names):
                raise ValueError(f"{field}: a name must not contain a slash")
            if RESERVED in names and field != "channels":
                raise ValueError(f"{field}: the name {RESERVED!r} is reserved")
        return self

    @property
    def shape(self) -> dict[str, list[str]]:
        """What decides the shape of a model's input and output: names of channels, structures and classes."""
        return {name: list(getattr(self, name)) for name in ("channels", "structures", "classes")}

    @property
    def question(self) -> tuple[str, tuple[str, ...], tuple[str, ...], bool]:
        """What must agree for two measured numbers to be compared: name, classes, structures, simulated or not."""
        return self.name, self.classes, self.structures, self.synthetic
