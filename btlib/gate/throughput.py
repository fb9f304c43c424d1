"""The gate's verdict on speed. Machines differ: a ratio to a reference is judged, and absolute speed hardly ever."""

from dataclasses import dataclass
from typing import Literal

from btlib.gate.schema import Baseline
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.speed import Timing
from btlib.runs.throughput import Throughput

ABSOLUTE_MARGIN = 0.5
"""The share of its images/s that a case may lose on the very machine of the baseline: others work there too."""

QUIET = 0.1
"""The noise up to which a machine counts as quiet: on a busy one images/s say nothing, whatever the machine."""

SHORTEST = 1e-5
"""Seconds an image: what takes less is the clock's noise and that of Python, and is not judged."""


@dataclass(frozen=True)
class ThroughputVerdict:
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


def judge_throughput(
    case: str,
    figure: str,
    measured: Throughput,
    baseline: Throughput | None,
    *,
    margin: float,
    alike: str | None,
    same_machine: bool,
    noise: float,
) -> ThroughputVerdict:
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

    def verdict(status: Literal["pass", "slower", "not-judged"], reason: str) -> ThroughputVerdict:
        return ThroughputVerdict(case, figure, status, reason)

    if baseline is None:
        return verdict("not-judged", "the baseline has no such figure")
    if alike is not None:
        return verdict("not-judged", alike)
    for name in ("gpu", "engine", "precision"):
        ours, theirs = getattr(measured, name), getattr(baseline, name)
        if ours != theirs:
            return verdict("not-judged", f"measured with {name} {ours}, the baseline with {theirs}")
    if measured.high is None or baseline.ratio is None or baseline.low is None:
        return verdict("not-judged", "no speed reference was measured beside it")
    if None not in (measured.reference, baseline.reference) and measured.reference != baseline.reference:
        return verdict(
            "not-judged", f"its speed reference is {measured.reference}, the baseline's {baseline.reference}"
        )
    if 1 / measured.images_per_second < SHORTEST:
        return verdict("not-judged", "a call is too short for the clock")
    if margin + noise >= 1:
        return verdict("not-judged", f"too much else went on: the null run was off by up to {noise:.0%}")
    least = baseline.low * (1 - margin - noise)
    if measured.high < least:
        return verdict(
            "slower",
            f"{measured.ratio:.2f} times as fast as the reference (at most {measured.high:.2f}), the baseline "
            f"{baseline.ratio:.2f}; tolerated is {least:.2f}",
        )
    if (
        same_machine
        and noise <= QUIET
        and measured.images_per_second < baseline.images_per_second * (1 - ABSOLUTE_MARGIN)
    ):
        return verdict(
            "slower",
            f"{measured.images_per_second:.1f} images/s, the baseline {baseline.images_per_second:.1f} on such a one",
        )
    return verdict("pass", f"{measured.ratio:.2f} times as fast as the reference, the baseline {baseline.ratio:.2f}")


def judge_timing(
    record: CaseRecord, figure: str, timing: Timing, baseline: Baseline, noise: float, info: RunInfo
) -> ThroughputVerdict:
    """Hold a figure of a run against the baseline's.

    Args:
        record: Of the case.
        figure: Name of the figure.
        timing: What was measured.
        baseline: What it is held against.
        noise: How far the null run's ratio was from 1, as a share.
        info: The run.
    """
    case = record.case
    known, made, here = baseline.cases.get(case), baseline.made(case), record.environment
    there = made.environment
    theirs = known.speed.get(figure) if known else None
    pairs = {
        "image size": (info.image_size, baseline.conditions.image_size),
        "backbone": (info.recipe_of(record).get("backbone"), (made.recipe or {}).get("backbone")),
        "processor with": (here.get("simd"), there.get("simd")),
        "allocator": (here.get("allocator"), there.get("allocator")),
    }
    unlike = [f"{name} {a}, the baseline's {b}" for name, (a, b) in pairs.items() if a != b]
    return judge_throughput(
        case,
        figure,
        timing.throughput,
        theirs,
        margin=info.speed_margin,
        alike="; ".join(unlike) or None,
        same_machine=here.get("machine") == there.get("machine"),
        noise=noise,
    )
