"""Records of a run: all measurements of a cell and their conditions, as strictly validated JSON."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

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
    """Origin of the predictor of a case.

    Attributes:
        source: "trained", "resumed", "loaded", "file" or "given".
        fingerprint: Identity of the trained model; None without one.
        file_digest: Fingerprint of the content of the predictor's files; None without files, and in older records.
        seconds: Time of the training in this run.
        details: Device, precision, checkpoint, parameters, ingredients of the training, `recipe_changes`.
        notes: Remarks that readers of the results need.
    """

    source: Source
    fingerprint: str | None
    file_digest: str | None = None
    seconds: float
    details: dict[str, Any]
    notes: list[str]

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read records of older versions, in which the only file was the thesis checkpoint."""
        older = isinstance(value, dict) and value.get("source") == "thesis-checkpoint"
        return value | {"source": "file"} if older else value


class CaseRecord(Stored):
    """Record of a cell: a case with one seed, on one fold if the run has several folds.

    Attributes:
        case: Name of the case.
        title: Short description of the case.
        tier: "smoke" or "full".
        seed: Seed of the training.
        fold: Name of the split if the run has several folds; None if the run has one split.
        measured: Names of the finished measures, see `btlib.runs.measuring.MEASURES`. They include measures that do not
            apply to the case, and failed measures.
        problems: Name of a failed measure → error message.
        speed: Speed of the case; None if it was not measured.
        planted: Fault → sample table of the predictions with this planted fault.
        metrics: Metrics by which the gate judges the case → version of the metric's definition.
        outcome: "done", or why the case could not be trained or evaluated: "error", "out-of-memory", "timeout".
        error: Message of the error, with the last lines of its traceback; None without an error.
        conditions: Conditions of the measurement.
        samples: Table with the numbers of each sample; None if the case failed.
        summary: All aggregates of `samples`.
        threshold_curve: Mean Dice at other thresholds; None for a case without masks, and in records of older versions.
        curves_sha256: SHA-256 of the file of learning curves; None without this file, and in records of older versions.
        batch_mean_size: Batch size of the aggregation "batch-mean".
        images_per_second: Throughput of the prediction of the test samples.
        peak_memory_mib: Peak memory of the process during prediction, MiB; None if the system does not report it.
        seconds: Time from the start of the case to its end.
        prepare_seconds: Part of `seconds` until the predictor was ready: training or loading, and choosing the engine.
        predict_seconds: Part of `seconds` inside `predict`.
        model: Origin of the predictor.
        code: Code of the case; None for a case without a file, and in records of older versions.
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
        """Read older versions: 3 contains no speed, 2 supports only the Figshare task, and in 1 the identity of the
        data includes patient codes."""
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
        """Cell of the record, with its finished measures."""
        return Cell(self.case, self.seed, self.fold, frozenset(self.measured))

    @property
    def threshold(self) -> float | None:
        """Threshold of the mask probabilities: the model's own, chosen without test samples, or else the protocol's.

        None for a task without images.
        """
        own = self.model.details.get("threshold") if self.model else None
        return float(own) if isinstance(own, int | float) else self.conditions.threshold


class RunInfo(Stored):
    """Facts common to all cases of a run.

    Attributes:
        tier: "smoke" or "full".
        command: Command line.
        name: Title of the run; None uses the name of its folder.
        baseline: File of the baseline with which the run is compared.
        task: Task of the run.
        data: Description of the data for readers.
        data_folder: Folder of the data files; None without one.
        image_size: Side length of the images in pixels.
        recipe: Recipe of the trained cases (see `recipe_of`).
        against: Cases of the baseline with which new cases are compared; None for all.
        strict: Whether the option strict was given. The gate then does not compare with a baseline that was measured
            on another rendering of the same samples.
        alpha: Probability that an unchanged suite has any regression.
        rescore: Whether the user stated that the models are the same as those of the baseline.
        cases: Planned cases.
        specs: Case → its "FILE.py::NAME" or its name, to load it again; without cases that have no file.
        seeds: Seeds of each case.
        stages: Numbers of seeds after which a case is judged, the last one for all seeds; empty if all seeds are
            measured in any case, as in runs of older versions.
        stopped: Case → number of its seeds, if all its verdicts were clear before the last stage. Stored in a file of
            each case, from which `RunStore.info` reads it.
        folds: Names of the pooled folds; empty if the run has one split.
        measures: Case → planned measures in addition to its quality.
        options: Options of the user (see `btlib.options.RunOptions`); None in runs of older versions and merged runs.
        commit: Commit of the git checkout of the run; None outside a checkout.
        dirty: Whether this checkout had uncommitted changes (baselines do not count); None outside a checkout.
        speed_margin: Allowed loss of a case's speed ratio to the reference, as a share.
        load_seconds: Time for opening the data.
        started: Start of the run, ISO 8601, UTC.
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
    alpha: float = 0.05
    rescore: bool = False
    cases: list[str] = Field(default_factory=list)
    specs: dict[str, str] = Field(default_factory=dict)
    seeds: list[int] = Field(default_factory=list)
    stages: list[int] = Field(default_factory=list)
    stopped: dict[str, int] = Field(default_factory=dict)
    folds: list[str] = Field(default_factory=list)
    measures: dict[str, list[str]] = Field(default_factory=dict)
    options: dict[str, Any] | None = None
    commit: str | None = None
    dirty: bool | None = None
    speed_margin: Annotated[float, Field(ge=0, lt=1)] = 0.25
    load_seconds: Annotated[float, Field(ge=0)] = 0.0
    started: str

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read records of older versions, which name the task "origin"."""
        return older.conditions(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stages and (
            self.stages[0] < 1 or self.stages != sorted({*self.stages}) or self.stages[-1] != len(self.seeds)
        ):
            raise ValueError(f"stages: expected increasing numbers up to {len(self.seeds)} seeds, got {self.stages}")
        if strange := {*self.stopped.values()} - {*self.stages[:-1]}:
            raise ValueError(f"stopped: expected one of the stages before the last one, got {sorted(strange)}")
        return self

    @property
    def looks(self) -> int:
        """Number of times at which a case may be judged, from 1. The gate divides its error rates by it."""
        return len(self.stages) or 1

    def ended(self, case: str, seeds: int) -> "RunInfo":
        """Return these facts for a case that stops after this number of seeds; at the last stage they are the same."""
        return self.model_copy(update={"stopped": self.stopped | {case: seeds}}) if seeds < len(self.seeds) else self

    def recipe_of(self, record: CaseRecord) -> dict[str, str | int | float | bool | None]:
        """Return the training recipe of a record's model; empty for a model that the case gave ready-made.

        Fields that have another value for this case than for the run are in the model's detail `recipe_changes`.
        """
        if record.model is None:
            return self.recipe
        if record.model.source == "given":
            return {}
        changes = record.model.details.get("recipe_changes")
        return {**self.recipe, **changes} if isinstance(changes, dict) else self.recipe


def cells_of(info: RunInfo) -> list[Cell]:
    """Return the planned cells of a run; none for runs of older versions, which do not contain the plan.

    With stages, these are the cells up to the last stage. A case may need fewer (see `cells_to_measure`).
    """
    return [cell for case in info.cases for cell in _cells(info, case, len(info.seeds))]


def cells_to_measure(info: RunInfo, case: str, known: Callable[[Cell], bool]) -> list[Cell]:
    """Return the cells that a planned case must have.

    These are the cells up to the stage at which the case stopped. If it did not stop, they are the cells up to the
    first stage that is not complete, or else all.

    Args:
        info: Facts of the run.
        case: Name of the case.
        known: Function that returns whether a cell has a record.
    """
    cells: list[Cell] = []
    for seeds in [info.stopped[case]] if case in info.stopped else info.stages or [len(info.seeds)]:
        cells = _cells(info, case, seeds)
        if not all(map(known, cells)):
            break
    return cells


def _cells(info: RunInfo, case: str, seeds: int) -> list[Cell]:
    no_folds: list[str | None] = [None]
    return [Cell(case, seed, fold) for seed in info.seeds[:seeds] for fold in info.folds or no_folds]


class StageStop(Stored):
    """End of a case before the last stage, because all its verdicts are clear.

    Attributes:
        case: Name of the case.
        seeds: Number of its seeds.
    """

    schema_: Literal["btlib-stop/1"] = Field(default="btlib-stop/1", alias="schema")
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    case: str
    seeds: int
