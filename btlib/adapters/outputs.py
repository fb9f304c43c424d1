"""Which part of a model's output is the mask, which the classes, and how the numbers in them are meant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from btlib.errors import ModelError, PredictionError
from btlib.registry import unknown_name

Place = int | str | None
"""Where a part is: an index, a key or an attribute; None where the model has no such part."""

Kind = Literal["logits", "probabilities"]


class Ops(NamedTuple):
    """What differs between the arrays of two frameworks.

    Attributes:
        array: Makes a part of the output a float32 array.
        sigmoid: Of an array.
        softmax: Of an array along an axis.
    """

    array: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    softmax: Callable[[Any, int], Any]


@dataclass(frozen=True)
class Outputs:
    """The mapping from what a model returns to probabilities.

    A model may return an array (its index is 0), a tuple or list (indices), a dict (keys, or indices in its order) or
    an object with attributes. A part that is None in the model's output counts as not there.

    Attributes:
        mask: Where the mask is: [n, m, h, w] or [n, h, w, m] of m channels, or [n, h, w] of one structure.
        classes: Where the classes are: [n, c] in the order of the task's classes.
        mask_kind: "logits" or "probabilities".
        class_kind: "logits" or "probabilities".
        structures: How many structures the mask shows, k.
        mask_channels: m. k, the default: a channel for each structure, with a sigmoid of its own. More: a softmax over
            the channels, of which the first is background; k + 1: the others are the structures; for one structure the
            others together are it.
    """

    mask: Place = None
    classes: Place = None
    mask_kind: Kind = "logits"
    class_kind: Kind = "logits"
    structures: int = 1
    mask_channels: int | None = None

    def __post_init__(self) -> None:
        if self.mask is None and self.classes is None:
            raise ModelError("names neither mask nor classes", where="Outputs", hint="for example Outputs(mask=0)")
        for kind in (self.mask_kind, self.class_kind):
            if kind not in get_args(Kind):
                raise unknown_name("kind", kind, get_args(Kind), where="Outputs")
        if self.structures < 1 or self._channels < self.structures:
            raise ModelError(
                f"expected structures of at least 1, and no fewer mask_channels, got {self.structures} and "
                f"{self._channels}",
                where="Outputs",
            )
        if self.structures > 1 and self._channels > self.structures + 1:
            raise ModelError(
                f"{self._channels} mask_channels for {self.structures} structures",
                where="Outputs",
                hint="give a channel for each structure, or these after one of background",
            )

    @property
    def _channels(self) -> int:
        return self.structures if self.mask_channels is None else self.mask_channels

    def read(self, raw: Any, ops: Ops, *, channels_last: bool = False) -> tuple[Any, Any]:
        """Mask probabilities [n, k, h, w] (one structure: [n, h, w]) and class probabilities [n, c], or None.

        In the framework's own arrays.

        Args:
            raw: What the model returned.
            ops: Of the framework.
            channels_last: Whether channels stand behind height and width.

        Raises:
            PredictionError: A part is not where it should be, or has another number of channels.
        """
        mask, classes = pick(raw, self.mask), pick(raw, self.classes)
        if mask is not None:
            mask = self._mask(ops.array(mask), ops, channels_last)
        if classes is not None:
            classes = ops.array(classes)
            classes = ops.softmax(classes, 1) if self.class_kind == "logits" else classes
        return mask, classes

    def _mask(self, mask: Any, ops: Ops, channels_last: bool) -> Any:
        if mask.ndim != 4:
            return ops.sigmoid(mask) if self.mask_kind == "logits" else mask
        axis = 3 if channels_last else 1
        if mask.shape[axis] != self._channels:
            raise PredictionError(
                f"expected {self._channels} channels of the mask at axis {axis}, got shape {tuple(mask.shape)}",
                hint="declare structures and mask_channels in Outputs, or the layout of the model",
            )
        background = self._channels > self.structures
        if self.mask_kind == "logits":
            mask = ops.softmax(mask, axis) if background else ops.sigmoid(mask)
        if channels_last:
            mask = np.moveaxis(mask, 3, 1)  # only PyTorch has arrays of its own here, and channels first
        mask = mask[:, 1:] if background else mask
        if self.structures > 1:
            return mask
        return mask[:, 0] if mask.shape[1] == 1 else mask.sum(1)


def pick(raw: Any, place: Place) -> Any:
    """One part of a model's output; None where the mapping names none.

    Raises:
        PredictionError: There is no such part; those that are there are named.
    """
    if place is None:
        return None
    parts = _parts(raw)
    if isinstance(place, int) and -len(parts) <= place < len(parts):
        return list(parts.values())[place]
    if isinstance(place, str) and (place in parts or hasattr(raw, place)):
        return parts[place] if place in parts else getattr(raw, place)
    raise PredictionError(
        f"the model's output has no part {place!r}: it is a {type(raw).__name__} of {', '.join(map(str, parts))}",
        hint="say in Outputs where mask and classes are",
    )


def _parts(raw: Any) -> dict[Any, Any]:
    if isinstance(raw, Mapping):
        return dict(raw)
    if hasattr(raw, "_asdict"):
        return dict(raw._asdict())
    return dict(enumerate(raw)) if isinstance(raw, tuple | list) else {0: raw}


def _array(part: Any) -> NDArray[np.float32]:
    return np.asarray(part, dtype=np.float32)


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    from scipy.special import expit

    probabilities: NDArray[np.float32] = expit(values)
    return probabilities


def _softmax(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    shifted = np.exp(values - values.max(axis=axis, keepdims=True))
    shares: NDArray[np.float32] = shifted / shifted.sum(axis=axis, keepdims=True)
    return shares


NUMPY = Ops(_array, _sigmoid, _softmax)

NAMED = Outputs(mask="mask_prob", classes="class_logits", mask_kind="probabilities")
"""The parts by their names: what a model returns has `mask_prob` and `class_logits`."""
