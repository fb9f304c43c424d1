"""What was measured of one case: how, and by sample, once for each seed. What the gate and the comparisons work on.

Records of a run and stored baselines are both read into it, so that judging and comparing have one kind of input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from btlib.data.grouping import Unit, patient_groups, unit_of, unknown
from btlib.data.patients import PatientSource
from btlib.data.task import Task
from btlib.errors import RecordError
from btlib.evaluation.aggregate import per_sample
from btlib.sample_table import SampleTable
from btlib.types import Scaling

Failure = Literal["error", "out-of-memory", "timeout"]
"""Why a case has no numbers."""


class PatientFacts(BaseModel):
    """What is known of the patients behind the test samples.

    Attributes:
        source: "files" (their own codes) or "table" (btlib's, of known samples).
        n_test: Patients with test samples.
        seen: Test samples whose patient has samples in training too: 0 where numbers hold for new patients.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    source: PatientSource
    n_test: Annotated[int, Field(ge=1)]
    seen: Annotated[int, Field(ge=0)]


class Conditions(BaseModel):
    """How numbers were made. Numbers of other conditions are not comparable.

    Attributes:
        task: What was asked.
        truth_fingerprint: Ids, labels and masks at this size; None where it is not known: of a published baseline,
            and of files that btlib wrote before it took this fingerprint.
        input_fingerprint: The images. Other ones of the same truth are another rendering, which is named beside a
            verdict and does not stand in its way. None like `truth_fingerprint`.
        split_name: Such as "slice-seed42".
        split_fingerprint: Exact positions of the split; None where unknown.
        n_test: Test samples.
        test_class_counts: Test samples of each class of the task; None where unknown.
        image_size: Side of the input in pixels.
        scaling: "thesis" or "percentile".
        threshold: Of the mask probability, 0…1, for cases that chose none on validation samples.
        epsilon: Of Dice and IoU.
        patients: Who the test samples belong to; None where that is not known.
        independent: The user says that samples without a patient id are independent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    task: Task
    truth_fingerprint: str | None
    input_fingerprint: str | None
    split_name: str
    split_fingerprint: str | None
    n_test: Annotated[int, Field(ge=1)]
    test_class_counts: list[Annotated[int, Field(ge=0)]] | None
    image_size: Annotated[int, Field(ge=1)]
    scaling: Scaling
    threshold: Annotated[float, Field(ge=0, le=1)]
    epsilon: float
    patients: PatientFacts | None = None
    independent: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        counts, classes = self.test_class_counts, self.task.classes
        if counts is not None and len(counts) != len(classes):
            raise ValueError(f"test_class_counts: expected {len(classes)} numbers, got {len(counts)}")
        known = self.patients
        if known is not None and max(known.n_test, known.seen) > self.n_test:
            raise ValueError(f"patients: {known.n_test}, {known.seen} samples seen, among {self.n_test} test samples")
        return self


class SeedRun(BaseModel):
    """One training's numbers by sample.

    Attributes:
        seed: Of the training.
        fingerprint: Of the trained model; None where it has none.
        samples: Its table of samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    seed: int
    fingerprint: str | None
    samples: SampleTable


@dataclass(frozen=True, eq=False)
class CaseResult:
    """One case, measured with one seed or several.

    Attributes:
        case: Its name.
        title: What it is.
        conditions: How its numbers were made.
        metrics: The metrics it is held to → version of each metric's definition.
        runs: One a seed, all of the same samples; empty where the case failed.
        batch_mean_size: For figures that are means of batch means.
        failure: Why there are no numbers, or none of some seed.
        message: What went wrong.
    """

    case: str
    title: str
    conditions: Conditions
    metrics: Mapping[str, int]
    runs: tuple[SeedRun, ...]
    batch_mean_size: int = 16
    failure: Failure | None = None
    message: str = ""

    def __post_init__(self) -> None:
        if not self.runs and self.failure is None:
            raise RecordError("has neither numbers nor a failure", where=f"case {self.case}")
        for run in self.runs[1:]:
            if set(run.samples.id) != set(self.samples.id):
                raise RecordError(
                    f"seeds {self.runs[0].seed} and {run.seed} were measured on different samples",
                    where=f"case {self.case}",
                    hint="measure all seeds in one run",
                )

    @property
    def samples(self) -> SampleTable:
        """The table of the first seed: ids, labels, patients and true areas are those of all."""
        return self.runs[0].samples

    @property
    def unit(self) -> Unit:
        """What its intervals and tests draw whole, for samples of one patient are not independent."""
        return unit_of(self.samples.patient)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Number of the patient of every sample, int64 [n] in the order of `samples`; of the sample where unknown."""
        return patient_groups(self.samples.patient)

    @property
    def caveat(self) -> str:
        """What is wrong with intervals where patients are unknown; "" where nothing is, or the user says so."""
        if not self.strangers or self.conditions.independent:
            return ""
        return (
            f"patients are unknown of {self.strangers} of {self.samples.n} samples: intervals take these as "
            "independent, and are too narrow where a patient has several"
        )

    @property
    def strangers(self) -> int:
        """How many samples have no patient id."""
        return unknown(self.samples.patient)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds it was measured with."""
        return tuple(run.seed for run in self.runs)

    def values(self, metric: str) -> NDArray[np.float64]:
        """A metric of every sample, the mean over seeds, float64 [n] in the order of `samples`."""
        return mean_in_order(self.runs, self.samples, metric)

    def seed_values(self, metric: str) -> NDArray[np.float64]:
        """A metric by seed and sample, float64 [seeds, n], samples in their order."""
        return _in_order(self.runs, self.samples, metric)


def mean_in_order(runs: Sequence[SeedRun], order: SampleTable, metric: str) -> NDArray[np.float64]:
    """A metric of every sample, the mean over runs, float64 [n], in the order of another table of the same samples."""
    return np.asarray(_in_order(runs, order, metric).mean(axis=0))


def _in_order(runs: Sequence[SeedRun], order: SampleTable, metric: str) -> NDArray[np.float64]:
    rows = []
    for run in runs:
        place = {name: i for i, name in enumerate(run.samples.id)}
        rows.append(per_sample(run.samples, metric)[[place[name] for name in order.id]])
    return np.stack(rows)
