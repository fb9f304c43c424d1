"""Results of one case: the conditions and the measurements by sample, for each seed.

Records of a run and stored baselines are both converted to these classes, so that the gate and the comparisons have one
kind of input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from btlib import stats
from btlib.data.grouping import Unit, patient_groups, unit_of, unknown
from btlib.data.patients import PatientSource
from btlib.data.task import Task
from btlib.errors import RecordError
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS, Metrics, metrics_of
from btlib.evaluation.draws import set_values
from btlib.sample_table import SampleTable
from btlib.types import Scaling

Failure = Literal["error", "out-of-memory", "timeout"]
"""Why a case has no numbers."""


class PatientFacts(BaseModel):
    """Facts about the patients of the test samples.

    Attributes:
        source: Source of the patient ids: "files" (codes in the files) or "table" (btlib's table of known samples).
        n_test: Number of patients with test samples.
        seen: Number of test samples whose patient also has training samples: 0 if results are valid for new patients.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    source: PatientSource
    n_test: Annotated[int, Field(ge=1)]
    seen: Annotated[int, Field(ge=0)]


class Conditions(BaseModel):
    """Conditions of a measurement. Results under different conditions are not comparable.

    Attributes:
        task: Task of the model.
        truth_fingerprint: Fingerprint of ids, labels and masks at this size; None if it is unknown, as for a published
            baseline or for files of older btlib versions without this fingerprint.
        input_fingerprint: Fingerprint of the images; None if unknown. Different images with the same truth are another
            rendering, which a verdict mentions; the results can still be compared.
        split_name: Name of the split, such as "slice-seed42".
        split_fingerprint: Fingerprint of the exact positions of the split; None if unknown.
        n_test: Number of test samples.
        test_class_counts: Number of test samples of each class of the task; None if unknown.
        image_size: Side of the input in pixels; None, as the next three, for a task without images.
        scaling: Scaling of the images, "thesis", "percentile" or "zscore".
        threshold: Threshold of the mask probability, 0…1, for cases that do not choose one on validation samples.
        epsilon: Smoothing term of Dice and IoU.
        patients: Facts about the patients of the test samples; None if unknown.
        independent: The user declares that samples without a patient id are independent.
        spacing_fingerprint: Fingerprint of the original sizes of the images and of their pixels in mm; None if unknown.
            It is compared for metrics in mm only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    task: Task
    truth_fingerprint: str | None
    input_fingerprint: str | None
    split_name: str
    split_fingerprint: str | None
    n_test: Annotated[int, Field(ge=1)]
    test_class_counts: list[Annotated[int, Field(ge=0)]] | None
    image_size: Annotated[int, Field(ge=1)] | None = None
    scaling: Scaling | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    epsilon: float | None = None
    patients: PatientFacts | None = None
    independent: bool = False
    spacing_fingerprint: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        counts, classes = self.test_class_counts, self.task.classes
        if counts is not None and len(counts) != len(classes):
            raise ValueError(f"test_class_counts: expected {len(classes)} numbers, got {len(counts)}")
        for name in ("image_size", "scaling", "threshold", "epsilon"):
            if (getattr(self, name) is None) == self.task.has_images:
                expected = "required" if self.task.has_images else "expected None, because the task has no images"
                raise ValueError(f"{name}: {expected}")
        taken = [score.name for score in self.task.scores if score.name in METRICS]
        if taken and self.task.has_images:
            raise ValueError(f"task.scores: {taken[0]!r} is the name of a metric of btlib; choose another name")
        known = self.patients
        if known is not None and max(known.n_test, known.seen) > self.n_test:
            raise ValueError(
                f"patients: expected n_test and seen of at most {self.n_test}, the number of test samples, got "
                f"{known.n_test} and {known.seen}"
            )
        return self

    def of_images(self) -> tuple[int, Scaling]:
        """Return the size of the images in pixels and their scaling.

        Raises:
            RecordError: The task has no images.
        """
        if self.image_size is None or self.scaling is None:
            raise RecordError("the task has no images", where=f"task {self.task.name}")
        return self.image_size, self.scaling


class SeedRun(BaseModel):
    """Results of one training, by sample.

    Attributes:
        seed: Seed of the training.
        fingerprint: Identity of the trained model (data, split, recipe, code, seed); None if it has none. Two trainings
            of the same identity may differ, for example on another processor.
        file_digest: Fingerprint of the content of the predictor's files; None if it is unknown.
        samples: Table of samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    seed: int
    fingerprint: str | None
    file_digest: str | None = None
    samples: SampleTable


@dataclass(frozen=True, eq=False)
class CaseResult:
    """Results of one case, measured with one or several seeds.

    Attributes:
        case: Name of the case.
        title: Title of the case.
        conditions: Conditions of the measurement.
        metrics: Metrics by which the case is judged → version of each metric's definition.
        runs: Results of each seed, all for the same samples; empty if the case failed.
        batch_mean_size: Batch size for metrics that are means of batch means.
        failure: Kind of failure if the results of all or some seeds are missing.
        message: Message of the failure.
        folds: Fold of each sample of the first seed, if each fold has its own training; empty for a single split.
    """

    case: str
    title: str
    conditions: Conditions
    metrics: Mapping[str, int]
    runs: tuple[SeedRun, ...]
    batch_mean_size: int = 16
    failure: Failure | None = None
    message: str = ""
    folds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.runs and self.failure is None:
            raise RecordError("expected results or a failure, found neither", where=f"case {self.case}")
        for run in self.runs[1:]:
            if set(run.samples.id) != set(self.samples.id):
                raise RecordError(
                    f"seeds {self.runs[0].seed} and {run.seed} were measured on different samples",
                    where=f"case {self.case}",
                    hint="measure all seeds in one run",
                )

    @property
    def samples(self) -> SampleTable:
        """Table of the first seed; ids, labels, patients and true areas are the same for all seeds."""
        return self.runs[0].samples

    @property
    def definitions(self) -> Metrics:
        """Metrics that exist for the task: the registered ones and the task's scores."""
        return metrics_of(self.conditions.task)

    @property
    def unit(self) -> Unit:
        """Unit that intervals and tests resample, because samples of one patient are not independent."""
        return unit_of(self.samples.patient, self.conditions.task.group, self.samples.volume)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Group number of every sample, int64 [n], in the order of `samples`: patient, else volume, else the sample."""
        return patient_groups(self.samples.patient, self.samples.volume)

    @property
    def caveat(self) -> str:
        """Warning about the intervals if patients are unknown; "" if all are known or `independent` is declared."""
        if not self.strangers or self.conditions.independent:
            return ""
        return (
            f"the patient of {self.strangers} of {self.samples.n} samples is unknown: intervals treat these "
            f"{'samples' if self.samples.volume is None else 'volumes'} as independent, and are too narrow if a "
            "patient has several of them"
        )

    @property
    def strangers(self) -> int:
        """Number of samples without a patient id."""
        return unknown(self.samples.patient)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs."""
        return tuple(run.seed for run in self.runs)

    def values(self, metric: str) -> NDArray[np.float64]:
        """Metric of every sample, mean over seeds, float64 [n] in the order of `samples`."""
        return mean_in_order(self.runs, self.samples, metric)

    def seed_values(self, metric: str) -> NDArray[np.float64]:
        """Metric by seed and sample, float64 [seeds, n], in the order of `samples`."""
        return values_in_order(self.runs, self.samples, metric)


def mean_in_order(runs: Sequence[SeedRun], order: SampleTable, metric: str) -> NDArray[np.float64]:
    """Metric of every sample, mean over runs, float64 [n], in the sample order of the table `order`."""
    return np.asarray(values_in_order(runs, order, metric).mean(axis=0))


def values_in_order(runs: Sequence[SeedRun], order: SampleTable, metric: str) -> NDArray[np.float64]:
    """Metric by run and sample, float64 [runs, n], in the sample order of the table `order`."""
    rows = []
    for run in runs:
        place = {name: i for i, name in enumerate(run.samples.id)}
        rows.append(per_sample(run.samples, metric)[[place[name] for name in order.id]])
    return np.stack(rows)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Metric of level "set" by training.

    Attributes:
        values: Value of each training for all samples, float64 [r]; NaN if undefined.
        draws: Value of each training for each draw of patients, float64 [r, n_draws]; NaN if undefined.
        n_groups: Number of patients; a sample without patient counts as one.
    """

    values: NDArray[np.float64]
    draws: NDArray[np.float64]
    n_groups: int


def set_draws(
    runs: Sequence[SeedRun], order: SampleTable, metric: str, n_resamples: int = 2000, seed: int = 0
) -> Drawn:
    """Compute a metric of level "set" for all samples and for draws of patients.

    Runs of the same samples share the draws if `order` and `seed` are the same. So differences of their draws are
    paired, also between cases.

    Args:
        runs: Results of the trainings, all of the samples of `order`.
        order: Table whose patients are drawn; a sample without patient is drawn alone.
        metric: Name of a metric of level "set".
        n_resamples: Number of draws.
        seed: Seed of the draws.

    Raises:
        UnknownNameError: There is no such metric.
        StatsError: The metric is not of level "set", a table does not have what it needs, or there are fewer than two
            patients.
    """
    rows = {name: i for i, name in enumerate(order.id)}
    places = [[rows[name] for name in run.samples.id] for run in runs]
    n_groups, pieces = stats.sample_weights(order.n, patient_groups(order.patient, order.volume), n_resamples, seed)
    drawn = [
        [set_values(run.samples, metric, weights[:, place]) for run, place in zip(runs, places, strict=True)]
        for weights in pieces
    ]
    values = [float(METRICS[metric].of(run.samples)) for run in runs]
    return Drawn(np.array(values), np.concatenate(drawn, axis=1), n_groups)
