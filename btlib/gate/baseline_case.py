"""The numbers of a baseline: figures, cases and published tests. Each is strictly validated."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS, Metrics, metrics_of
from btlib.results import Conditions, SeedRun
from btlib.runs.provenance import CaseCode
from btlib.runs.throughput import Throughput

Aggregation = Literal["slice-mean", "batch-mean", "class-mean", "class", "slice-class-mean", "none"]
"""What a figure is averaged over: samples; means of batches; classes; nothing, it is the score of one class; samples of
one class; or nothing, it is a count or a time."""

_AGREE = 5e-5  # stored means have at least four decimal places


class Strict(BaseModel):
    """Frozen model; unknown fields, other types and NaN are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ReferenceValue(Strict):
    """One number of a case.

    Attributes:
        metric: Name of the metric: "dice", "accuracy", "macro_f1", "parameters" …
        version: Version of the metric's definition (see `btlib.evaluation.catalogue`).
        value: Value, in `unit`.
        aggregation: What the value is averaged over.
        unit: Unit of the value: "1" for numbers without unit, else for example "px", "s" or "images/s".
        n: Number of samples; None if it has none or their number is unknown.
        std: Standard deviation (n − 1) over samples; None if unknown.
        tumour_class: Class that the value belongs to; None if it belongs to no single class.
        margin: Loss that the gate tolerates, in `unit`. Figures without a margin are informative and are not judged.
        source: Where the value was read or measured.
        note: Further information for the reader.
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
        if self.aggregation not in ("slice-mean", "batch-mean", "none"):
            raise ValueError("a figure with a margin must be a sample or batch mean, or belong to all samples together")
        return self

    def require_gated(self, known: Metrics) -> None:
        """Check a figure with a margin against the definition of its metric.

        Args:
            known: Metrics of the baseline's task.

        Raises:
            ValueError: The metric is unknown, or aggregation, unit, value or margin do not fit it.
        """
        if self.margin is None:
            return
        if self.metric not in known:
            raise ValueError(f"{self.metric}: only a known metric can have a margin")
        if (known[self.metric].level == "set") != (self.aggregation == "none"):
            raise ValueError(
                f"{self.metric}: expected the aggregation none for a metric of all samples together, and a sample or "
                f"batch mean for others, got {self.aggregation}"
            )
        low, high = known[self.metric].range
        if self.unit != known[self.metric].unit:
            raise ValueError(f"{self.metric}: expected the unit {known[self.metric].unit}, got {self.unit}")
        if not low <= self.value <= high:
            raise ValueError(f"a figure with a margin must be within {low:g}…{high:g}, got {self.value:g}")
        if self.margin >= high - low:
            raise ValueError(f"margin {self.margin:g} is wider than the range {low:g}…{high:g} of {self.metric}")


class Provenance(Strict):
    """Provenance of numbers.

    Attributes:
        source: Command that measured them.
        created: Date, ISO 8601.
        reason: Why they are in the baseline.
        commit: Commit of the code that measured them; None if unknown.
        recipe: Training recipe of the model; None if it was not trained.
        environment: Software versions and hardware of the measurement.
    """

    source: str
    created: str
    reason: str
    commit: str | None = None
    recipe: dict[str, str | int | float | bool | None] | None = None
    environment: dict[str, str] = {}


class Spread(Strict):
    """Variation of a metric between trainings of one recipe.

    Attributes:
        sd: Standard deviation, between trainings, of the mean over samples, in the metric's unit.
        interaction: Part of `sd` that is due to the patients of this test set: trainings differ in which patients they
            solve. 0 if it is unknown.
        trainings: Number n of trainings; the standard deviation has n − 1 degrees of freedom.
        source: Where it was measured.
    """

    sd: Annotated[float, Field(ge=0)]
    interaction: Annotated[float, Field(ge=0)] = 0.0
    trainings: Annotated[int, Field(ge=2)]
    source: str


class BaselineCase(Strict):
    """Numbers of one case.

    Attributes:
        title: Title of the case.
        conditions: Conditions of its measurement, for a task without images, whose cases may have different samples;
            else None: those of the baseline.
        made: Provenance of its numbers, if it differs from the baseline's: the case was added later or not trained.
        code: Code of the case; None if it has no file.
        figures: Numbers of the case; at most one figure with a margin per metric.
        runs: Numbers per sample, if they were measured.
        spread: Metric → variation between trainings, if it was measured.
        first: The case as it was first accepted, so that small losses do not add up; None for the first numbers.
        speed: Figure ("inference, batch 16") → speed on the machine of the baseline's environment.
        peak_memory_mib: Peak memory of the process during prediction on that machine, in MiB.
    """

    title: str
    conditions: Conditions | None = None
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
            raise ValueError("figures: a metric has more than one figure with a margin")
        if len({frozenset(run.samples.id) for run in self.runs}) > 1:
            raise ValueError("runs: they do not have the same samples")
        if self.first is not None and self.first.first is not None:
            raise ValueError("first: must not have a field first itself")
        if len({run.seed for run in self.runs}) != len(self.runs):
            raise ValueError("runs: a seed occurs more than once")
        for figure in self.figures if self.runs else ():
            if figure.margin is not None:
                self._check_gated(figure)
        return self

    def _check_gated(self, figure: ReferenceValue) -> None:
        """Raise ValueError if the figure contradicts its own samples; then it was edited by hand."""
        known = METRICS if self.conditions is None else metrics_of(self.conditions.task)
        if not all(figure.metric in run.samples.custom and figure.metric not in known for run in self.runs):
            figure.require_gated(known)  # `Baseline` checks the others, which its task defines
        for run in self.runs:
            if not METRICS.measured(figure.metric, run.samples):
                raise ValueError(f"figures: {figure.metric} has a margin, but a run does not contain its values")
        values = [gated_value(run.samples, figure.metric, figure.aggregation, 16) for run in self.runs]
        mean = sum(values) / len(values)
        if not abs(mean - figure.value) <= _AGREE:  # NaN if a sample has no value
            raise ValueError(f"figures: {figure.metric} is {figure.value}, but its samples give {mean:.6f}")


class PublishedTest(Strict):
    """A published significance test of two cases.

    Attributes:
        first: Name of the first case.
        second: Name of the case it is compared with.
        metric: "dice" or "accuracy" (whether each sample is classified correctly).
        test: Name of the test.
        statistic: Test statistic.
        p: Two-sided p value, uncorrected.
        n: Number of samples.
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
