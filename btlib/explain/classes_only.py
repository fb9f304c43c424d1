"""Model reduced to its classes. An occlusion map needs hundreds of class predictions, but no masks."""

from dataclasses import replace
from typing import Protocol, runtime_checkable

from torch import nn

from btlib import fingerprint
from btlib.adapters.outputs import Outputs
from btlib.engines import Subject
from btlib.errors import ModelError


@runtime_checkable
class HasSmaller(Protocol):
    """Interface of a model that can leave out the parts that its classes do not need."""

    def classes_only(self) -> nn.Module | None:
        """Return the same model, with class logits [n, classes] as its only output; None if it has no classes."""
        ...


def classes_only(subject: Subject) -> Subject:
    """Return the same model without its mask. If the model cannot leave it out, it is computed but not used.

    Raises:
        ModelError: The model has no classes.
    """
    model, outputs = subject.model, subject.outputs
    smaller = model.classes_only() if isinstance(model, HasSmaller) else None
    if outputs.classes is None or (isinstance(model, HasSmaller) and smaller is None):
        raise ModelError(
            "has no classes, so there is no class probability to explain",
            where="occlusion",
            hint="explain a model that predicts classes",
        )
    without_mask = replace(
        subject,
        outputs=replace(outputs, mask=None),
        identity=None if subject.identity is None else fingerprint.of("classes only", subject.identity),
    )
    return without_mask if smaller is None else replace(without_mask, model=smaller.eval(), outputs=Outputs(classes=0))
