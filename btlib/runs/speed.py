"""Measured speed of one case: raw seconds, in turns with the thesis's way of doing the same."""

from statistics import median

import numpy as np
from pydantic import Field

from btlib import stats
from btlib.baselines import Baseline
from btlib.baselines.pace import Pace, PaceVerdict, judge_pace
from btlib.runs.environment import environment
from btlib.runs.record import CaseRecord, RunInfo, Stored


class Timing(Stored):
    """One figure, such as inference with batch 16; the device is synchronised at the end of every call.

    Attributes:
        images: In a call.
        device: Where it was measured, such as "cpu" or "cuda:1"; None where PyTorch has no part in the device.
        gpu: The name of that device where it is a GPU, such as "NVIDIA H200".
        engine: What ran it, such as "openvino"; None where the case does not say.
        precision: Such as "bf16"; None where the case does not say.
        seconds: Of each call, in order.
        thesis_seconds: Of each call of the thesis path in between (A B B A …); empty where it could not run.
        peak_memory_mib: Largest memory of this process meanwhile; None where the system does not tell.
        thesis_peak_memory_mib: The same of the thesis path's process.
        device_memory_mib: Largest memory on the accelerator meanwhile; None without one.
        joules_per_image: Energy of processor and accelerator; None where it cannot be read.
        gflop_per_image: Of predicting, 10⁹ operations, a multiplication and an addition being two; None where that is
            not known.
    """

    images: int
    device: str | None = None
    gpu: str | None = None
    engine: str | None = None
    precision: str | None = None
    seconds: list[float]
    thesis_seconds: list[float] = Field(default_factory=list)
    peak_memory_mib: float | None = None
    thesis_peak_memory_mib: float | None = None
    device_memory_mib: float | None = None
    joules_per_image: float | None = None
    gflop_per_image: float | None = None

    @property
    def images_per_second(self) -> float:
        """Of the median call."""
        return self.images / median(self.seconds)

    @property
    def latency(self) -> tuple[float, float]:
        """Seconds of a call, the 50th and the 95th percentile."""
        p50, p95 = np.percentile(self.seconds, (50, 95))
        return float(p50), float(p95)

    @property
    def speedup(self) -> stats.Speedup | None:
        """How many times as fast as the thesis path; None where that could not run."""
        return stats.speedup(self.seconds, self.thesis_seconds) if self.thesis_seconds else None

    @property
    def pace(self) -> Pace:
        """What of it a baseline keeps."""
        ratio = self.speedup
        return Pace(
            images_per_second=self.images_per_second,
            gpu=self.gpu,
            engine=self.engine,
            precision=self.precision,
            ratio=ratio.value if ratio else None,
            low=ratio.low if ratio else None,
            high=ratio.high if ratio else None,
        )


class Speed(Stored):
    """All figures of one case.

    Attributes:
        case: Name of the case.
        figures: Figure → what was measured.
        ceilings: Precision → TFLOP/s that this machine reached in a product of matrices.
        machine: Digest of what decides the speed of this machine.
        seconds: That measuring took.
    """

    case: str
    figures: dict[str, Timing] = Field(default_factory=dict)
    ceilings: dict[str, float] = Field(default_factory=dict)
    machine: str | None = None
    seconds: float = 0.0

    def share_of_ceiling(self, figure: str) -> float | None:
        """Operations in a second as a share of what this machine can do, 0…1; None where either is not known."""
        timing = self.figures[figure]
        ceiling = self.ceilings.get(timing.precision or "")
        if timing.gflop_per_image is None or ceiling is None:
            return None
        return timing.gflop_per_image * timing.images_per_second / (1000 * ceiling)


def judge_timing(
    record: CaseRecord, figure: str, timing: Timing, baseline: Baseline, noise: float, info: RunInfo, margin: float
) -> PaceVerdict:
    """Hold a figure of a run against the baseline's.

    Args:
        record: Of the case.
        figure: Name of the figure.
        timing: What was measured.
        baseline: What it is held against.
        noise: How far the null run's ratio was from 1, as a share.
        info: The run.
        margin: The share of its ratio that a case may lose.
    """
    case = record.case
    known, made, here = baseline.cases.get(case), baseline.made(case), environment()
    there = made.environment
    theirs = known.speed.get(figure) if known else None
    pairs = {
        "image size": (info.image_size, baseline.conditions.image_size),
        "backbone": (info.recipe_of(record).get("backbone"), (made.recipe or {}).get("backbone")),
        "processor with": (here.get("simd"), there.get("simd")),
        "allocator": (here.get("allocator"), there.get("allocator")),
    }
    unlike = [f"{name} {a}, the baseline's {b}" for name, (a, b) in pairs.items() if a != b]
    return judge_pace(
        case,
        figure,
        timing.pace,
        theirs,
        margin=margin,
        alike="; ".join(unlike) or None,
        same_machine=here.get("machine") == there.get("machine"),
        noise=noise,
    )
