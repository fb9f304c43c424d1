"""Verdicts on speed. Machines differ, so the gate judges the ratio to a reference, and absolute speed only rarely."""

from dataclasses import dataclass
from typing import Literal

from btlib.gate.schema import Baseline
from btlib.ranges import LOSS, NOT_NEGATIVE
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.speed import Timing
from btlib.runs.throughput import Throughput

ABSOLUTE_MARGIN = 0.5
"""Share of its images/s that a case may lose on the baseline's machine, which other processes may use too."""

QUIET = 0.1
"""Largest noise of a quiet machine, as a share. On a busy machine, absolute images/s are not judged."""

SHORTEST = 1e-5
"""Seconds per image. Faster calls are not judged, because the noise of the clock and of Python dominates."""


@dataclass(frozen=True)
class ThroughputVerdict:
    """Verdict on one figure of speed.

    Attributes:
        case: Name of the case.
        figure: Name of the figure, for example "inference, batch 16".
        status: Status of the comparison; "slower" fails.
        reason: Reason for the status, one sentence.
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
    """Compare a figure with the baseline's.

    Args:
        case: Name of the case.
        figure: Name of the figure.
        measured: Measured throughput.
        baseline: Throughput of the baseline; None if it has no such figure.
        margin: Share of its ratio that a case may lose.
        alike: Why the two ratios cannot be compared (another kind of processor, another size); None if they can.
        same_machine: Whether both were measured on the same model of machine.
        noise: Largest deviation from 1 of the null run's ratio, as a share: the farther bound of its interval.

    Raises:
        OptionError: The margin is not from 0 and below 1, or the noise is not a number from 0.
    """

    LOSS.require(margin, "margin of the speed", hint="0.25 is the default")
    NOT_NEGATIVE.require(noise, "noise of the null run")

    def verdict(status: Literal["pass", "slower", "not-judged"], reason: str) -> ThroughputVerdict:
        return ThroughputVerdict(case, figure, status, reason)

    if baseline is None:
        return verdict("not-judged", "the baseline has no such figure")
    if alike is not None:
        return verdict("not-judged", alike)
    for name in ("gpu", "engine", "precision"):
        ours, theirs = getattr(measured, name), getattr(baseline, name)
        if ours != theirs:
            return verdict("not-judged", f"measured with {name} {ours}, but the baseline with {theirs}")
    if measured.high is None or baseline.ratio is None or baseline.low is None:
        return verdict("not-judged", "no speed reference was measured with it")
    if None not in (measured.reference, baseline.reference) and measured.reference != baseline.reference:
        return verdict(
            "not-judged", f"its speed reference is {measured.reference}, the baseline's is {baseline.reference}"
        )
    if 1 / measured.images_per_second < SHORTEST:
        return verdict("not-judged", "the calls are too short for the clock")
    if margin + noise >= 1:
        return verdict("not-judged", f"the machine was too busy: the null run deviated by up to {noise:.0%}")
    least = baseline.low * (1 - margin - noise)
    if measured.high < least:
        return verdict(
            "slower",
            f"{measured.ratio:.2f} times as fast as the reference (at most {measured.high:.2f}); the baseline was "
            f"{baseline.ratio:.2f} times as fast, and at least {least:.2f} is required",
        )
    if (
        same_machine
        and noise <= QUIET
        and measured.images_per_second < baseline.images_per_second * (1 - ABSOLUTE_MARGIN)
    ):
        return verdict(
            "slower",
            f"{measured.images_per_second:.1f} images/s; the baseline had {baseline.images_per_second:.1f} images/s "
            "on the same model of machine",
        )
    return verdict(
        "pass",
        f"{measured.ratio:.2f} times as fast as the reference; the baseline was {baseline.ratio:.2f} times as fast",
    )


def judge_timing(
    record: CaseRecord, figure: str, timing: Timing, baseline: Baseline, noise: float, info: RunInfo
) -> ThroughputVerdict:
    """Compare a figure of a run with the baseline's.

    Args:
        record: Record of the case.
        figure: Name of the figure.
        timing: Measured timing.
        baseline: Baseline to compare with.
        noise: Largest deviation from 1 of the null run's ratio, as a share.
        info: Information on the run.
    """
    case = record.case
    known, made, here = baseline.cases.get(case), baseline.provenance_of(case), record.environment
    there, ours, recipe = made.environment, info.recipe_of(record), made.recipe or {}
    theirs = known.speed.get(figure) if known else None
    pairs = {
        "image size": (info.image_size, baseline.conditions.image_size),
        "backbone": (ours.get("backbone"), recipe.get("backbone")),
        "drifting batch norm": (ours.get("drifting_batch_norm", False), recipe.get("drifting_batch_norm", False)),
        "processor with": (here.get("simd"), there.get("simd")),
        "allocator": (here.get("allocator"), there.get("allocator")),
    }
    unlike = [f"{name} {a}, but the baseline's {b}" for name, (a, b) in pairs.items() if a != b]
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
