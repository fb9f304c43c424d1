"""Signs of an activation that was applied twice, such as the sigmoid of a sigmoid.

The sigmoid of values in 0…1 lies in 0.5…0.731, and the softmax of m of them in 1/(e + m − 1)…e/(e + m − 1): no class
gets more than e times the probability of another. A model that has learnt little may give such probabilities, too. But
on extreme images its logits leave 0…1, while a second activation never leaves its range and reaches the ends of it.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Evidence = Literal["none", "possible", "certain"]

_E = math.e
_ROUNDING = 2e-3  # of probabilities that were computed in 16 bits
_AT_END = 5e-3  # distance from an end of the range that counts as reached
_FLAT = 0.02  # probabilities that differ by less between images say nothing about their range


@dataclass(frozen=True)
class Doubled:
    """Result of a search for a double activation.

    Attributes:
        evidence: "certain" if the probabilities stay in the range of a double activation and reach its end; "possible"
            if they only stay in the range.
        message: Range of the probabilities, and the activations that explain it; "" without evidence.
    """

    evidence: Evidence
    message: str = ""


def in_masks(samples: NDArray[np.floating], probes: NDArray[np.floating] | None, structures: int) -> Doubled:
    """Search mask probabilities for a double activation.

    Args:
        samples: Mask probabilities of samples, any shape.
        probes: Mask probabilities of extreme images, any shape; None if the model cannot predict any.
        structures: Number of structures.
    """
    found, low, high = _of_both(samples, probes)
    if high - low < _FLAT:
        return Doubled("none")
    m = structures + 1
    for text, least, largest in (
        ("a sigmoid of probabilities", 0.5, _E / (_E + 1)),
        (f"a softmax over {m} channels of probabilities", 1 / (_E + m - 1), _E / (_E + m - 1)),
    ):
        if least - _ROUNDING <= low and high <= largest + _ROUNDING:
            reached = (low <= least + _AT_END, high >= largest - _AT_END)
            enough = all(reached) if probes is None else any(reached)
            below = f"no mask probability is below {least:.3g} or above {largest:.3g} ({low:.3f}…{high:.3f} {found})"
            return Doubled("certain" if enough else "possible", f"{below}: this is the range of {text}")
    return Doubled("none")


def in_classes(samples: NDArray[np.floating], probes: NDArray[np.floating] | None) -> Doubled:
    """Search class probabilities [n, classes] for a softmax of probabilities. Of one class nothing can be said.

    Args:
        samples: Class probabilities of samples.
        probes: Class probabilities of extreme images; None if the model cannot predict any.
    """
    c = samples.shape[1]
    found, low, high = _of_both(samples, probes)
    rows = samples if probes is None else np.concatenate([samples, probes])
    if c < 2 or np.ptp(rows, axis=0).max() < _FLAT:
        return Doubled("none")
    ratio = float((rows.max(axis=1) / np.maximum(rows.min(axis=1), 1e-12)).max())
    if ratio > _E * (1 + 2 * c * _ROUNDING):
        return Doubled("none")
    message = (
        f"no class gets more than e = 2.718 times the probability of another, and none more than "
        f"{_E / (_E + c - 1):.3f} ({low:.3f}…{high:.3f} {found}): this is the range of a softmax of probabilities"
    )
    return Doubled("certain" if ratio >= _E * 0.98 else "possible", message)


def _of_both(samples: NDArray[np.floating], probes: NDArray[np.floating] | None) -> tuple[str, float, float]:
    """Return a description of the images, and the lowest and highest probability of all of them."""
    parts = [part for part in (samples, probes) if part is not None and part.size]
    where = "on samples" if probes is None else "on samples and on extreme images"
    return where, min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
