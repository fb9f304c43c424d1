"""The gate's word on speed. Machines differ: a ratio to the thesis path is judged, and absolute speed hardly ever."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

ABSOLUTE_MARGIN = 0.5
"""The share of its images/s that a case may lose on the very machine of the baseline: others work there too."""

QUIET = 0.1
"""The noise up to which a machine counts as quiet: on a busy one images/s say nothing, whatever the machine."""

SHORTEST = 1e-5
"""Seconds an image: what takes less is the clock's noise and that of Python, and is not judged."""


class Pace(BaseModel):
    """One figure of a case's speed, as a baseline keeps it.

    Attributes:
        images_per_second: Median over calls.
        gpu: Name of the GPU that it was measured on; None for the processor.
        engine: What ran it; None where the case did not say.
        precision: In what precision; None where the case did not say.
        ratio: How many times as fast as the thesis path in turns with it; None where that could not run.
        low: Lower bound of the ratio's 95 % interval.
        high: Upper bound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    images_per_second: float
    gpu: str | None = None
    engine: str | None = None
    precision: str | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PaceVerdict:
    """The gate's word on one figure.

    Attributes:
        case: Name of the case.
        figure: Such as "inference, batch 16".
        status: "slower" fails; "not-judged" says why.
        reason: In a sentence.
    """

    case: str
    figure: str
    status: Literal["pass", "slower", "not-judged"]
    reason: str


def judge_pace(
    case: str,
    figure: str,
    measured: Pace,
    baseline: Pace | None,
    *,
    margin: float,
    alike: str | None,
    same_machine: bool,
    noise: float,
) -> PaceVerdict:
    """Hold a figure against the baseline's.

    Args:
        case: Name of the case.
        figure: Name of the figure.
        measured: What was measured.
        baseline: What it is held against; None where it has no such figure.
        margin: The share of its ratio that a case may lose.
        alike: Why the two ratios cannot be compared (another kind of processor, another size); None where they can.
        same_machine: Whether both were measured on the same kind of machine, to the model.
        noise: How far from 1 the null run's ratio may be, as a share: the farther bound of its interval.
    """

    def word(status: Literal["pass", "slower", "not-judged"], reason: str) -> PaceVerdict:
        return PaceVerdict(case, figure, status, reason)

    if baseline is None:
        return word("not-judged", "the baseline has no such figure")
    if alike is not None:
        return word("not-judged", alike)
    for name in ("gpu", "engine", "precision"):
        ours, theirs = getattr(measured, name), getattr(baseline, name)
        if ours != theirs:
            return word("not-judged", f"measured with {name} {ours}, the baseline with {theirs}")
    if measured.high is None or baseline.ratio is None or baseline.low is None:
        return word("not-judged", "the thesis path was not measured beside it")
    if 1 / measured.images_per_second < SHORTEST:
        return word("not-judged", "a call is too short for the clock")
    if margin + noise >= 1:
        return word("not-judged", f"too much else went on: the null run was off by up to {noise:.0%}")
    least = baseline.low * (1 - margin - noise)
    if measured.high < least:
        return word(
            "slower",
            f"{measured.ratio:.2f} times as fast as the thesis path (at most {measured.high:.2f}), the baseline "
            f"{baseline.ratio:.2f}; tolerated is {least:.2f}",
        )
    if (
        same_machine
        and noise <= QUIET
        and measured.images_per_second < baseline.images_per_second * (1 - ABSOLUTE_MARGIN)
    ):
        return word(
            "slower",
            f"{measured.images_per_second:.1f} images/s, the baseline {baseline.images_per_second:.1f} on such a one",
        )
    return word("pass", f"{measured.ratio:.2f} times as fast as the thesis path, the baseline {baseline.ratio:.2f}")
