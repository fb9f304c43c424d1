"""One figure of a case's speed in the few numbers that comparisons need."""

from pydantic import BaseModel, ConfigDict


class Throughput(BaseModel):
    """One figure of a case's speed, as a baseline keeps it.

    Attributes:
        images_per_second: Median over calls.
        gpu: Name of the GPU that it was measured on; None for the processor.
        engine: What ran it; None where the case did not say.
        precision: In what precision; None where the case did not say.
        reference: Name of what it was timed in turns with; None where there was nothing, and in baselines of before.
        ratio: How many times as fast as the reference; None without one.
        low: Lower bound of the ratio's 95 % interval.
        high: Upper bound.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    images_per_second: float
    gpu: str | None = None
    engine: str | None = None
    precision: str | None = None
    reference: str | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
