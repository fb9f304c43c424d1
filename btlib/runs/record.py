"""What a run leaves behind for each case: everything measured, and under which conditions. Strictly checked JSON."""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from btlib import files, older
from btlib.baselines.figure import CaseCode
from btlib.cases import Source
from btlib.data.task import Task
from btlib.errors import RecordError
from btlib.evaluation.thresholds import ThresholdCurve
from btlib.results import Conditions, Failure
from btlib.sample_table import SampleTable, require_task


class Strict(BaseModel):
    """A value that takes nothing it does not know, and no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Stored(Strict):
    """A value with a JSON file of its own."""

    def save(self, path: Path) -> None:
        """Write it with a digest of its content, atomically."""
        value = files.sealed(json.loads(self.model_dump_json()))
        files.write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it.

        Raises:
            RecordError: The file cannot be read, has changed since it was written, or does not follow the schema.
        """
        mend = "it is damaged or of another version of btlib: run the case again"
        try:
            return cls.model_validate_json(json.dumps(files.read_sealed(path, required=False)))
        except OSError as error:
            raise RecordError(f"cannot be read: {error.strerror or error}", where=path) from error
        except files.DamagedFileError as error:
            raise RecordError(str(error), where=path, mend=mend) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the file"
            raise RecordError(f"{field}: {first['msg']}", where=path, mend=mend) from error


class ModelInfo(Strict):
    """Where the predictor of a case came from.

    Attributes:
        source: "trained", "resumed", "loaded", "thesis-checkpoint" or "given".
        fingerprint: Identity of the trained model.
        seconds: Time spent training in this run.
        details: Device, precision, checkpoint, parameters, the training's ingredients.
        notes: What a reader of the numbers must know.
    """

    source: Source
    fingerprint: str | None
    seconds: float
    details: dict[str, Any]
    notes: list[str]


class CaseRecord(Stored):
    """One case of one run, with one seed.

    Attributes:
        case: Name of the case.
        title: What it is.
        tier: "smoke" or "full".
        seed: Of the training.
        metrics: The metrics the gate holds it to → version of each metric's definition.
        outcome: "done", or why it could not be trained or evaluated: "error", "out-of-memory", "timeout".
        error: The error's message and the last lines of its traceback.
        conditions: How its numbers were made.
        samples: Its numbers by sample.
        summary: All aggregates of `samples`.
        threshold_curve: Mean Dice at other thresholds; None for a case without masks, and in records of before.
        curves_sha256: Of the file of its learning curves; None where it has none, and in records of before.
        batch_mean_size: Batch size of the aggregation "batch-mean".
        images_per_second: Of predicting the test samples.
        peak_memory_mib: Largest memory of the process while predicting; None where the system does not tell.
        seconds: From the start of the case to its end.
        prepare_seconds: Of that, until the predictor was there: training or loading, and choosing the engine.
        predict_seconds: Of that, inside `predict`.
        model: Where its predictor came from.
        code: The code that the case came from; None where it has no file, and in records of before.
        environment: Versions and hardware.
        created: Time of writing, ISO 8601, UTC.
    """

    schema_: Literal["btlib-record/3"] = Field(default="btlib-record/3", alias="schema")
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    case: str
    title: str
    tier: str
    seed: int
    metrics: dict[str, int]
    outcome: Literal["done"] | Failure
    error: str | None = None
    conditions: Conditions
    samples: SampleTable | None = None
    summary: dict[str, Any] | None = None
    threshold_curve: ThresholdCurve | None = None
    curves_sha256: str | None = None
    batch_mean_size: int = 16
    images_per_second: float | None = None
    peak_memory_mib: float | None = None
    seconds: float
    prepare_seconds: float | None = None
    predict_seconds: float | None = None
    model: ModelInfo | None = None
    code: CaseCode | None = None
    environment: dict[str, str]
    created: str

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read older versions: 2 knew the Figshare task only, 1 took patient codes into the identity of the data."""
        if not isinstance(value, dict) or value.get("schema") not in ("btlib-record/1", "btlib-record/2"):
            return value
        first = value["schema"] == "btlib-record/1"
        fields = {name: field for name, field in value.items() if name != "slices"} | {"schema": "btlib-record/3"}
        conditions, slices = value.get("conditions"), value.get("slices")
        if isinstance(conditions, dict):
            fields["conditions"] = older.conditions_of_1(conditions) if first else older.conditions(conditions)
        if isinstance(slices, dict):
            known = conditions.get("dataset_fingerprint") if first and isinstance(conditions, dict) else None
            fields["samples"] = older.table(older.with_known_patients(slices, known))
        return fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        require_task(self.samples, self.conditions.task)
        return self

    @property
    def threshold(self) -> float:
        """Of its mask probabilities: its model's own, chosen on validation slices, else the protocol's."""
        own = self.model.details.get("threshold") if self.model else None
        return float(own) if isinstance(own, int | float) else self.conditions.threshold


class RunInfo(Stored):
    """What holds for all cases of a run.

    Attributes:
        tier: "smoke" or "full".
        command: The command line.
        baseline: File of the baseline it was held against.
        task: What was asked.
        data: What was measured on, for a reader.
        data_folder: Where its files lie; None where there are none.
        image_size: Side of its samples in pixels.
        recipe: How its cases are trained, if they are (see `recipe_of`).
        against: The cases of the baseline that new ones are held against; None for all.
        strict: Whether another rendering of the baseline's samples was not to be compared.
        cases: The cases that were to be measured.
        seeds: The seeds of each case.
        commit: Of the git checkout it ran in; None outside one.
        dirty: Whether that checkout had uncommitted changes (baselines do not count); None outside one.
        load_seconds: Time that opening the data took.
        started: ISO 8601, UTC.
    """

    tier: str
    command: str
    baseline: str
    task: Task
    data: str
    data_folder: str | None = None
    image_size: int | None = None
    recipe: dict[str, str | int | float | bool | None] = {}
    against: list[str] | None = None
    strict: bool = False
    cases: list[str] = []
    seeds: list[int] = []
    commit: str | None = None
    dirty: bool | None = None
    load_seconds: float = 0.0
    started: str

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read what older versions wrote, which named the task by "origin"."""
        return older.conditions(value) if isinstance(value, dict) else value

    def recipe_of(self, record: CaseRecord) -> dict[str, str | int | float | bool | None]:
        """How the model of a record was trained; empty for one that the case gave ready-made."""
        return {} if record.model is not None and record.model.source == "given" else self.recipe
