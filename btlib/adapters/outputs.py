"""Mapping from a model's output to mask and class probabilities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from btlib.errors import ModelError, PredictionError
from btlib.registry import unknown_name

Place = int | str | None
"""Place of a part in the output: an index, a key or an attribute; None if the model has no such part."""

Kind = Literal["logits", "probabilities"]


class Ops(NamedTuple):
    """Array operations of a framework.

    Attributes:
        array: Converts a part of the output to a float32 array.
        sigmoid: Sigmoid of an array.
        softmax: Softmax of an array along an axis.
    """

    array: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    softmax: Callable[[Any, int], Any]


@dataclass(frozen=True)
class Outputs:
    """Mapping from a model's return value to probabilities.

    A model may return an array (index 0), a tuple or list (indices), a dict (keys, or indices in its order) or an
    object with attributes. A part that is None in the model's output counts as missing.

    Attributes:
        mask: Place of the mask: [n, m, h, w] or [n, h, w, m] with m channels, or [n, h, w] for one structure.
        classes: Place of the classes: [n, c] in the order of the task's classes.
        mask_kind: Values of the mask: "logits" or "probabilities".
        class_kind: Values of the classes: "logits" or "probabilities".
        structures: Number k of structures in the mask.
        mask_channels: Number m of mask channels. m = k (the default): one channel per structure, each with its own
            sigmoid. m > k: a softmax over the channels; the first channel is background. With m = k + 1 the other
            channels are the structures. With one structure, the sum of the other channels is this structure.
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
                f"expected at least 1 structure and at least as many mask_channels, got {self.structures} structures "
                f"and {self._channels} mask_channels",
                where="Outputs",
            )
        if self.structures > 1 and self._channels > self.structures + 1:
            raise ModelError(
                f"expected {self.structures} or {self.structures + 1} mask_channels for {self.structures} structures, "
                f"got {self._channels}",
                where="Outputs",
                hint="use one channel per structure, or a background channel followed by one channel per structure",
            )

    @property
    def _channels(self) -> int:
        return self.structures if self.mask_channels is None else self.mask_channels

    def read(self, raw: Any, ops: Ops, *, channels_last: bool = False) -> tuple[Any, Any]:
        """Return mask probabilities [n, k, h, w] (one structure: [n, h, w]) and class probabilities [n, c].

        Both are arrays of the framework. A missing part is None.

        Args:
            raw: Return value of the model.
            ops: Array operations of the framework.
            channels_last: Whether the channel axis is the last axis.

        Raises:
            PredictionError: A part is not at its place, or has another number of channels.
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
                f"expected a mask with {self._channels} channels at axis {axis}, got shape {tuple(mask.shape)}",
                hint="set structures and mask_channels in Outputs, or the layout of the predictor",
            )
        background = self._channels > self.structures
        if self.mask_kind == "logits":
            mask = ops.softmax(mask, axis) if background else ops.sigmoid(mask)
        if channels_last:
            mask = np.moveaxis(mask, 3, 1)  # a NumPy array: PyTorch's tensors have channels first
        mask = mask[:, 1:] if background else mask
        if self.structures > 1:
            return mask
        return mask[:, 0] if mask.shape[1] == 1 else mask.sum(1)


def pick(raw: Any, place: Place) -> Any:
    """Return one part of a model's output; None if the place is None.

    Raises:
        PredictionError: The part does not exist. The message lists the existing parts.
    """
    if place is None:
        return None
    parts = _parts(raw)
    if isinstance(place, int) and -len(parts) <= place < len(parts):
        return list(parts.values())[place]
    if isinstance(place, str) and (place in parts or hasattr(raw, place)):
        return parts[place] if place in parts else getattr(raw, place)
    raise PredictionError(
        f"the model's output has no part {place!r}: it is a {type(raw).__name__} with {', '.join(map(str, parts))}",
        hint="name the places of mask and classes in Outputs",
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
"""Mapping for models whose return value has the parts `mask_prob` and `class_logits`."""
