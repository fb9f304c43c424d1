"""What a run leaves behind for each cell: everything measured, and under which conditions. Strictly checked JSON."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from btlib import older
from btlib.cases import Source
from btlib.data.task import Task
from btlib.evaluation.thresholds import ThresholdCurve
from btlib.results import Conditions, Failure
from btlib.runs.cell import QUALITY, Cell
from btlib.runs.provenance import CaseCode
from btlib.runs.speed import Speed
from btlib.sample_table import SampleTable, require_task
from btlib.stored import Stored, Strict


class ModelInfo(Strict):
    """Where the predictor of a case came from.

    Attributes:
        source: "trained", "resumed", "loaded", "file" or "given".
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

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read what older versions wrote, which knew one kind of file."""
        older = isinstance(value, dict) and value.get("source") == "thesis-checkpoint"
        return value | {"source": "file"} if older else value


class CaseRecord(Stored):
    """One cell of a run: a case with one seed, on one fold where there are several.

    Attributes:
        case: Name of the case.
        title: What it is.
        tier: "smoke" or "full".
        seed: Of the training.
        fold: Name of the split, where the run has several folds; None where it has one split.
        measured: Names in `btlib.runs.measuring.MEASURES` of what was measured, also where a case has nothing of it.
        problems: Why something could not be measured, by its name.
        speed: How fast it is; None where that was not measured.
        planted: Fault → the numbers by sample of predictions in which it was planted.
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

    schema_: Literal["btlib-record/4"] = Field(default="btlib-record/4", alias="schema")
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    case: str
    title: str
    tier: str
    seed: int
    fold: str | None = None
    measured: list[str] = Field(default_factory=lambda: [QUALITY])
    problems: dict[str, str] = Field(default_factory=dict)
    speed: Speed | None = None
    planted: dict[str, SampleTable] = Field(default_factory=dict)
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
        """Read older versions: 3 had no speed in it, 2 knew the Figshare task only, 1 took patient codes into the
        identity of the data."""
        if isinstance(value, dict) and value.get("schema") == "btlib-record/3":
            return value | {"schema": "btlib-record/4"}
        if not isinstance(value, dict) or value.get("schema") not in ("btlib-record/1", "btlib-record/2"):
            return value
        first = value["schema"] == "btlib-record/1"
        fields = {name: field for name, field in value.items() if name != "slices"} | {"schema": "btlib-record/4"}
        conditions, slices = value.get("conditions"), value.get("slices")
        if isinstance(conditions, dict):
            fields["conditions"] = older.conditions_of_1(conditions) if first else older.conditions(conditions)
        if isinstance(slices, dict):
            known = conditions.get("dataset_fingerprint") if first and isinstance(conditions, dict) else None
            fields["samples"] = older.table(older.with_known_patients(slices, known))
        return fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        for table in (self.samples, *self.planted.values()):
            require_task(table, self.conditions.task)
        return self

    @property
    def cell(self) -> Cell:
        """The cell that it is of, with what was measured."""
        return Cell(self.case, self.seed, self.fold, frozenset(self.measured))

    @property
    def threshold(self) -> float:
        """Of its mask probabilities: its model's own, chosen on validation samples, else the protocol's."""
        own = self.model.details.get("threshold") if self.model else None
        return float(own) if isinstance(own, int | float) else self.conditions.threshold


class RunInfo(Stored):
    """What holds for all cases of a run.

    Attributes:
        tier: "smoke" or "full".
        command: The command line.
        name: Title of the run; None for its folder's name.
        baseline: File of the baseline it is compared with.
        task: What was asked.
        data: What was measured on, for a reader.
        data_folder: Where its files lie; None where there are none.
        image_size: Side of its samples in pixels.
        recipe: How its cases are trained, if they are (see `recipe_of`).
        against: The cases of the baseline that new ones are held against; None for all.
        strict: Whether another rendering of the baseline's samples was not to be compared.
        cases: The cases that were to be measured.
        specs: Case → how to find it again: "FILE.py::NAME", or its name; lacks cases that were made in no file.
        seeds: The seeds of each case.
        folds: Names of the splits, where the run has several folds that are pooled; empty where it has one split.
        measures: Case → what was to be measured of it beside its quality.
        options: What the user asked for (see `btlib.options.RunOptions`); None in runs of before.
        commit: Of the git checkout it ran in; None outside one.
        dirty: Whether that checkout had uncommitted changes (baselines do not count); None outside one.
        speed_margin: The share of its speed's ratio to the reference that a case may lose.
        load_seconds: Time that opening the data took.
        started: ISO 8601, UTC.
    """

    tier: str
    name: str | None = None
    command: str
    baseline: str
    task: Task
    data: str
    data_folder: str | None = None
    image_size: int | None = None
    recipe: dict[str, str | int | float | bool | None] = Field(default_factory=dict)
    against: list[str] | None = None
    strict: bool = False
    cases: list[str] = Field(default_factory=list)
    specs: dict[str, str] = Field(default_factory=dict)
    seeds: list[int] = Field(default_factory=list)
    folds: list[str] = Field(default_factory=list)
    measures: dict[str, list[str]] = Field(default_factory=dict)
    options: dict[str, Any] | None = None
    commit: str | None = None
    dirty: bool | None = None
    speed_margin: float = 0.25
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


def cells_of(info: RunInfo) -> list[Cell]:
    """The cells that a run was to have; none of a run of before, which does not tell."""
    no_folds: list[str | None] = [None]
    folds = info.folds or no_folds
    return [Cell(case, seed, fold) for case in info.cases for seed in info.seeds for fold in folds]
