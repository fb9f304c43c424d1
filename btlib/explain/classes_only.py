"""A model of which only the classes are asked for: a map of a class asks hundreds of times, and never for a mask."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

from torch import nn

from btlib import fingerprint
from btlib.adapters.outputs import Outputs
from btlib.engines import Subject
from btlib.errors import ModelError


@runtime_checkable
class HasSmaller(Protocol):
    """A model that can leave out what its classes do not need."""

    def classes_only(self) -> nn.Module | None:
        """The same model, returning class logits [n, classes] alone; None where it has no classes."""
        ...


def classes_only(subject: Subject) -> Subject:
    """The same model without its mask. Of one that cannot leave it out, the whole is run and only its classes are read.

    Raises:
        ModelError: It has no classes.
    """
    model, outputs = subject.model, subject.outputs
    smaller = model.classes_only() if isinstance(model, HasSmaller) else None
    if outputs.classes is None or (isinstance(model, HasSmaller) and smaller is None):
        raise ModelError(
            "has no classes: there is no class probability to explain",
            where="occlusion",
            hint="explain a model that predicts classes",
        )
    without_mask = replace(
        subject,
        outputs=replace(outputs, mask=None),
        identity=None if subject.identity is None else fingerprint.of("classes only", subject.identity),
    )
    return without_mask if smaller is None else replace(without_mask, model=smaller.eval(), outputs=Outputs(classes=0))
