"""Measured speed of a case: seconds of each call, in turns with a reference if there is one."""

from statistics import median
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from btlib import stats
from btlib.runs.throughput import Throughput
from btlib.stored import Stored

_OLDER = {"thesis_seconds": "reference_seconds", "thesis_peak_memory_mib": "reference_peak_memory_mib"}


class Timing(Stored):
    """Timings of one figure, such as inference with batch 16. The device is synchronised at the end of every call.

    Attributes:
        images: Number of images per call.
        device: Device of the measurement, such as "cpu" or "cuda:1"; None for a device without a PyTorch name.
        gpu: Name of the GPU, such as "NVIDIA H200"; None without a GPU.
        engine: Engine that ran the model, such as "openvino"; None if the case does not state it.
        precision: Precision, such as "bf16"; None if the case does not state it.
        seconds: Seconds of each call, in order.
        reference: Name of the reference that was timed in turns with the case; None without one.
        reference_seconds: Seconds of each call of the reference (order A B B A …); empty without a reference.
        peak_memory_mib: Peak memory of this process during the calls, MiB; None if the system does not report it.
        reference_peak_memory_mib: Peak memory of the reference's process, MiB.
        device_memory_mib: Peak memory on the accelerator during the calls, MiB; None without one.
        joules_per_image: Energy of processor and accelerator per image, J; None if it cannot be read.
        gflop_per_image: Operations of a prediction per image, 10⁹; a multiplication and an addition count as two. None
            if unknown.
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
        """Read files of older versions, in which the thesis's way of running a model is the only reference."""
        if not isinstance(value, dict) or not any(name in value for name in _OLDER):
            return value
        fields = {_OLDER.get(name, name): field for name, field in value.items()}
        return {"reference": "thesis path", **fields} if fields.get("reference_seconds") else fields

    @property
    def images_per_second(self) -> float:
        """Throughput of the median call."""
        return self.images / median(self.seconds)

    @property
    def latency(self) -> tuple[float, float]:
        """Latency: the 50th and the 95th percentile of the seconds of a call."""
        p50, p95 = np.percentile(self.seconds, (50, 95))
        return float(p50), float(p95)

    @property
    def speedup(self) -> stats.Speedup | None:
        """Ratio of the speed to the speed of the reference; None without a reference."""
        return stats.speedup(self.seconds, self.reference_seconds) if self.reference_seconds else None

    @property
    def throughput(self) -> Throughput:
        """Summary of the figure for a baseline."""
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
    """Speed of a case with all its figures.

    Attributes:
        case: Name of the case.
        figures: Figure → timings.
        ceilings: Precision → TFLOP/s that this machine reached in a matrix product.
        machine: Digest of the properties that decide the speed of this machine.
        noise: Null run: timings of the reference in turns with a copy of itself; None without a reference.
        seconds: Time of the measurement.
    """

    case: str
    figures: dict[str, Timing] = Field(default_factory=dict)
    ceilings: dict[str, float] = Field(default_factory=dict)
    machine: str | None = None
    noise: Timing | None = None
    seconds: float = 0.0

    @property
    def noisiness(self) -> float:
        """Largest deviation from 1 of the ratio's interval in the null run, as a share; 0 if it was not measured."""
        null = self.noise.speedup if self.noise else None
        return max(abs(null.low - 1), abs(null.high - 1)) if null else 0.0

    def share_of_ceiling(self, figure: str) -> float | None:
        """Return the operations per second as a share of this machine's ceiling, 0…1; None if either is unknown."""
        timing = self.figures[figure]
        ceiling = self.ceilings.get(timing.precision or "")
        if timing.gflop_per_image is None or ceiling is None:
            return None
        return timing.gflop_per_image * timing.images_per_second / (1000 * ceiling)
