"""The numbers of a baseline: figures, cases, published tests, each strictly checked."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS
from btlib.results import SeedRun
from btlib.runs.provenance import CaseCode
from btlib.runs.throughput import Throughput

Aggregation = Literal["slice-mean", "batch-mean", "class-mean", "class", "slice-class-mean", "none"]
"""Over what a figure is a mean: samples; means of batches; tumour types; one tumour type's own score; samples of one
tumour type; or nothing (a count, a time)."""

_AGREE = 5e-5  # a stored mean is rounded to four digits at worst


class Strict(BaseModel):
    """Frozen; unknown fields, other types and NaN are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ReferenceValue(Strict):
    """One number of a case.

    Attributes:
        metric: "dice", "accuracy", "macro_f1", "parameters" …
        version: Of the metric's definition (see `btlib.evaluation.catalogue`).
        value: In `unit`.
        aggregation: Over what it is a mean.
        unit: "1" for shares of one, else such as "px", "s" or "images/s".
        n: How many samples it rests on; None where it rests on none, or their number is not known.
        std: Standard deviation (n − 1) over samples, where known.
        tumour_class: The tumour type it belongs to, where it belongs to one.
        margin: The loss the gate tolerates, in `unit`; a figure without margin is for reading, not for gating.
        source: Where it was read or measured.
        note: What else a reader must know.
    """

    metric: str
    version: Annotated[int, Field(ge=1)] = 1
    value: float
    aggregation: Aggregation
    unit: str = "1"
    n: Annotated[int, Field(ge=1)] | None = None
    std: Annotated[float, Field(ge=0)] | None = None
    tumour_class: str | None = None
    margin: Annotated[float, Field(gt=0)] | None = None
    source: str
    note: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.margin is None:
            return self
        if self.metric not in METRICS or METRICS[self.metric].level != "sample":
            raise ValueError(f"{self.metric}: only a metric that every sample has can carry a margin")
        low, high = METRICS[self.metric].range
        if self.unit != METRICS[self.metric].unit:
            raise ValueError(f"{self.metric} is in {METRICS[self.metric].unit}, and the figure says {self.unit}")
        if self.aggregation not in ("slice-mean", "batch-mean") or not low <= self.value <= high:
            raise ValueError(f"a figure with a margin must be a sample or batch mean within {low:g}…{high:g}")
        if self.margin >= high - low:
            raise ValueError(f"margin {self.margin:g} is wider than the range {low:g}…{high:g} of {self.metric}")
        return self


class Provenance(Strict):
    """How numbers came about.

    Attributes:
        source: The command that measured them.
        created: Date, ISO 8601.
        reason: Why they are in the baseline.
        commit: Of the code that measured them, where known.
        recipe: How the model was trained, where it was.
        environment: Versions and hardware that measured them.
    """

    source: str
    created: str
    reason: str
    commit: str | None = None
    recipe: dict[str, str | int | float | bool | None] | None = None
    environment: dict[str, str] = {}


class Spread(Strict):
    """How much a metric differs between trainings of one recipe.

    Attributes:
        sd: Standard deviation between trainings of the mean over samples, in the metric's unit.
        trainings: How many it rests on; n − 1 are its degrees of freedom.
        source: Where it was measured.
    """

    sd: Annotated[float, Field(ge=0)]
    trainings: Annotated[int, Field(ge=2)]
    source: str


class BaselineCase(Strict):
    """What is known of one case.

    Attributes:
        title: What it is.
        made: How its numbers came about, where that is not as the baseline's: added later, or not trained.
        code: The code that it came from, where it has a file.
        figures: Its numbers; at most one gated figure a metric.
        runs: Per-slice numbers, where they were measured.
        spread: Metric → how much it differs between trainings, where that was measured.
        first: The case as it was first accepted, lest small losses add up; None while these are the first numbers.
        speed: Figure ("inference, batch 16") → how fast it was on the machine of the baseline's environment.
        peak_memory_mib: Largest memory of the process while predicting there.
    """

    title: str
    made: Provenance | None = None
    code: CaseCode | None = None
    figures: list[ReferenceValue]
    runs: list[SeedRun] = []
    spread: dict[str, Spread] = {}
    first: "BaselineCase | None" = None
    speed: dict[str, Throughput] = {}
    peak_memory_mib: float | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        gated = [figure.metric for figure in self.figures if figure.margin is not None]
        if len(set(gated)) != len(gated):
            raise ValueError("figures: more than one gated figure (with a margin) of one metric")
        if len({frozenset(run.samples.id) for run in self.runs}) > 1:
            raise ValueError("runs: they are not of the same samples")
        if self.first is not None and self.first.first is not None:
            raise ValueError("first: has a first of its own")
        if len({run.seed for run in self.runs}) != len(self.runs):
            raise ValueError("runs: a seed stands in it more than once")
        for figure in self.figures if self.runs else ():
            if figure.margin is not None:
                self._check_gated(figure)
        return self

    def _check_gated(self, figure: ReferenceValue) -> None:
        """A figure that its own samples contradict was edited by hand."""
        for run in self.runs:
            if not METRICS[figure.metric].available(run.samples):
                raise ValueError(f"figures: {figure.metric} is gated, but a run has no samples of it")
        values = [gated_value(run.samples, figure.metric, figure.aggregation, 16) for run in self.runs]
        mean = sum(values) / len(values)
        if not abs(mean - figure.value) <= _AGREE:  # NaN where a sample has no value
            raise ValueError(f"figures: {figure.metric} says {figure.value}, but its samples give {mean:.6f}")


class PublishedTest(Strict):
    """A published significance test of two cases.

    Attributes:
        first: One case.
        second: The case it is compared with.
        metric: "dice" or "accuracy" (correctness by sample).
        test: Which test.
        statistic: Its statistic.
        p: Two-sided p, uncorrected.
        n: Samples.
        source: Where it was read.
    """

    first: str
    second: str
    metric: str
    test: str
    statistic: float
    p: Annotated[float, Field(ge=0, le=1)]
    n: int
    source: str
