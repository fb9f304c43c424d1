"""Summary of one speed figure, for comparisons."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Positive = Annotated[float, Field(gt=0)]


class Throughput(BaseModel):
    """Summary of one speed figure of a case, as stored in a baseline.

    Attributes:
        images_per_second: Throughput of the median call.
        gpu: Name of the GPU of the measurement; None for the processor.
        engine: Engine that ran the model; None if the case did not state it.
        precision: Precision of the model; None if the case did not state it.
        reference: Name of the reference timed in turns; None without one, and in baselines of older versions.
        ratio: Ratio of the speed to the speed of the reference; None without a reference.
        low: Lower bound of the ratio's 95 % interval.
        high: Upper bound of the ratio's 95 % interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    images_per_second: _Positive
    gpu: str | None = None
    engine: str | None = None
    precision: str | None = None
    reference: str | None = None
    ratio: _Positive | None = None
    low: _Positive | None = None
    high: _Positive | None = None
