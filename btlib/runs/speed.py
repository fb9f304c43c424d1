"""Measured speed of one case: raw seconds, in turns with a reference where it has one."""

from statistics import median
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from btlib import stats
from btlib.runs.throughput import Throughput
from btlib.stored import Stored

_OLDER = {"thesis_seconds": "reference_seconds", "thesis_peak_memory_mib": "reference_peak_memory_mib"}


class Timing(Stored):
    """One figure, such as inference with batch 16; the device is synchronised at the end of every call.

    Attributes:
        images: In a call.
        device: Where it was measured, such as "cpu" or "cuda:1"; None where PyTorch has no part in the device.
        gpu: The name of that device where it is a GPU, such as "NVIDIA H200".
        engine: What ran it, such as "openvino"; None where the case does not say.
        precision: Such as "bf16"; None where the case does not say.
        seconds: Of each call, in order.
        reference: Name of what was timed in turns with it; None where there was nothing.
        reference_seconds: Of each call of the reference in between (A B B A …); empty without one.
        peak_memory_mib: Largest memory of this process meanwhile; None where the system does not tell.
        reference_peak_memory_mib: The same of the reference's process.
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
    reference: str | None = None
    reference_seconds: list[float] = Field(default_factory=list)
    peak_memory_mib: float | None = None
    reference_peak_memory_mib: float | None = None
    device_memory_mib: float | None = None
    joules_per_image: float | None = None
    gflop_per_image: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read what older versions wrote, in which the thesis's way of running a model was the only reference."""
        if not isinstance(value, dict) or not any(name in value for name in _OLDER):
            return value
        fields = {_OLDER.get(name, name): field for name, field in value.items()}
        return {"reference": "thesis path", **fields} if fields.get("reference_seconds") else fields

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
        """How many times as fast as the reference; None without one."""
        return stats.speedup(self.seconds, self.reference_seconds) if self.reference_seconds else None

    @property
    def throughput(self) -> Throughput:
        """What of it a baseline keeps."""
        ratio = self.speedup
        return Throughput(
            images_per_second=self.images_per_second,
            gpu=self.gpu,
            engine=self.engine,
            precision=self.precision,
            reference=self.reference,
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
        noise: The reference in turns with another of its kind; None without a reference.
        seconds: That measuring took.
    """

    case: str
    figures: dict[str, Timing] = Field(default_factory=dict)
    ceilings: dict[str, float] = Field(default_factory=dict)
    machine: str | None = None
    noise: Timing | None = None
    seconds: float = 0.0

    @property
    def noisiness(self) -> float:
        """How far from 1 the reference's ratio to its twin may be, as a share; 0 where that was not measured."""
        null = self.noise.speedup if self.noise else None
        return max(abs(null.low - 1), abs(null.high - 1)) if null else 0.0

    def share_of_ceiling(self, figure: str) -> float | None:
        """Operations in a second as a share of what this machine can do, 0…1; None where either is not known."""
        timing = self.figures[figure]
        ceiling = self.ceilings.get(timing.precision or "")
        if timing.gflop_per_image is None or ceiling is None:
            return None
        return timing.gflop_per_image * timing.images_per_second / (1000 * ceiling)
