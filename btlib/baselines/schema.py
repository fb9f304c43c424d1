"""What a baseline file holds, strictly checked: `baselines/<name>.json`, schema "btlib-baseline/1"."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from btlib import files
from btlib.errors import BaselineError
from btlib.evaluation.aggregate import gated_value
from btlib.slice_table import SliceTable
from btlib.types import N_CLASSES, Origin, Scaling

SCHEMA: Final = "btlib-baseline/1"

Aggregation = Literal["slice-mean", "batch-mean", "class-mean", "class", "slice-class-mean", "none"]
"""Over what a figure is a mean: slices; means of batches; tumour types; one tumour type's own score; slices of one
tumour type; or nothing (a count, a time)."""

_AGREE = 5e-5  # a stored mean is rounded to four digits at worst


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Conditions(_Strict):
    """How numbers were made. Numbers of other conditions are not comparable.

    Attributes:
        origin: "figshare" or "phantom".
        dataset_fingerprint: Content of the slices; None where a published baseline cannot know it.
        split_name: Such as "slice-seed42".
        split_fingerprint: Exact positions of the split; None where unknown.
        n_test: Test slices.
        test_class_counts: Test slices of each tumour type; None where unknown.
        image_size: Side of the input in pixels.
        scaling: "thesis" or "percentile".
        threshold: Of the mask probability, 0…1.
        epsilon: Of Dice and IoU.
    """

    origin: Origin
    dataset_fingerprint: str | None
    split_name: str
    split_fingerprint: str | None
    n_test: Annotated[int, Field(ge=1)]
    test_class_counts: Annotated[list[int], Field(min_length=N_CLASSES, max_length=N_CLASSES)] | None
    image_size: Annotated[int, Field(ge=1)]
    scaling: Scaling
    threshold: Annotated[float, Field(ge=0, le=1)]
    epsilon: float


class Figure(_Strict):
    """One number of a case.

    Attributes:
        metric: "dice", "accuracy", "macro_f1", "parameters" …
        value: In `unit`.
        aggregation: Over what it is a mean.
        unit: "1" for shares of one, else such as "s" or "images/s".
        n: How many slices it rests on; None where it rests on none, or their number is not known.
        std: Standard deviation (n − 1) over slices, where known.
        tumour_class: The tumour type it belongs to, where it belongs to one.
        margin: The loss the gate tolerates; a figure without margin is for reading, not for gating.
        source: Where it was read or measured.
        note: What else a reader must know.
    """

    metric: str
    value: float
    aggregation: Aggregation
    unit: str = "1"
    n: Annotated[int, Field(ge=1)] | None = None
    std: Annotated[float, Field(ge=0)] | None = None
    tumour_class: Literal["meningioma", "glioma", "pituitary"] | None = None
    margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    source: str
    note: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.margin is not None and not (
            self.metric in ("dice", "accuracy")
            and self.aggregation in ("slice-mean", "batch-mean")
            and 0 <= self.value <= 1
        ):
            raise ValueError("only slice or batch means of dice and accuracy, 0…1, can carry a margin")
        return self


class BaselineRun(_Strict):
    """One training's numbers by slice.

    Attributes:
        seed: Of the training.
        fingerprint: Of the trained model; None where it has none.
        slices: Its per-slice table.
    """

    seed: int
    fingerprint: str | None
    slices: SliceTable


class BaselineCase(_Strict):
    """What is known of one case.

    Attributes:
        title: What it is.
        figures: Its numbers; at most one gated figure a metric.
        runs: Per-slice numbers, where they were measured.
    """

    title: str
    figures: list[Figure]
    runs: list[BaselineRun] = []

    @model_validator(mode="after")
    def _check(self) -> Self:
        gated = [figure.metric for figure in self.figures if figure.margin is not None]
        if len(set(gated)) != len(gated):
            raise ValueError("figures: more than one gated figure (with a margin) of one metric")
        numbers = {tuple(sorted(run.slices.number)) for run in self.runs}
        if len(numbers) > 1:
            raise ValueError("runs: they are not of the same slices")
        for figure in self.figures if self.runs else ():
            if figure.margin is not None:
                self._check_gated(figure)
        return self

    def _check_gated(self, figure: Figure) -> None:
        """A figure that its own slices contradict was edited by hand."""
        for run in self.runs:
            if not (run.slices.has_mask if figure.metric == "dice" else run.slices.has_classes):
                raise ValueError(f"figures: {figure.metric} is gated, but a run has no slices of it")
        values = [gated_value(run.slices, figure.metric, figure.aggregation, 16) for run in self.runs]
        mean = sum(values) / len(values)
        if abs(mean - figure.value) > _AGREE:
            raise ValueError(f"figures: {figure.metric} says {figure.value}, but its slices give {mean:.6f}")


class PublishedTest(_Strict):
    """A published significance test of two cases.

    Attributes:
        first: One case.
        second: The case it is compared with.
        metric: "dice" or "accuracy" (correctness by slice).
        test: Which test.
        statistic: Its statistic.
        p: Two-sided p, uncorrected.
        n: Slices.
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


class Baseline(_Strict):
    """A named set of numbers that cases are held against.

    Attributes:
        name: The file's name without `.json`.
        kind: "published" (read from a publication) or "measured" (by btlib, with per-slice numbers).
        title: What it is, in a line.
        source: Publication, or the command that measured it.
        created: Date, ISO 8601.
        reason: Why these numbers are the baseline.
        conditions: How its numbers were made.
        cases: By case name.
        tests: Published tests.
        facts: Published numbers that belong to no case.
    """

    schema_: Literal["btlib-baseline/1"] = Field(alias="schema")
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    name: str
    kind: Literal["published", "measured"]
    title: str
    source: str
    created: str
    reason: str
    conditions: Conditions
    cases: Annotated[dict[str, BaselineCase], Field(min_length=1)]
    tests: list[PublishedTest] = []
    facts: list[Figure] = []

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, case in self.cases.items():
            if self.kind == "measured" and not case.runs:
                raise ValueError(f"cases.{name}.runs: a measured baseline needs per-slice numbers")
            for run in case.runs:
                if run.slices.n != self.conditions.n_test:
                    raise ValueError(
                        f"cases.{name}.runs: {run.slices.n} slices, conditions.n_test says {self.conditions.n_test}"
                    )
        return self

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a baseline file.

        Raises:
            BaselineError: The file is not there, cannot be read, or does not follow the schema; nothing else.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise BaselineError("no such baseline file", where=path, mend=_offer(path)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise BaselineError(f"cannot be read: {error}", where=path, mend="restore it from git") from error
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise BaselineError(_tell(error), where=path, mend="restore it from git, or accept a run anew") from error
        except RecursionError as error:
            raise BaselineError("is nested too deeply", where=path, mend="restore it from git") from error

    def save(self, path: Path) -> None:
        """Write it with sorted keys, atomically."""
        value = self.model_dump(mode="json", exclude_defaults=True) | {"schema": SCHEMA}
        files.write_text(path, _compact(value))

    def figure(self, case: str, metric: str) -> Figure | None:
        """The gated figure of a metric of a case; None where there is none."""
        known = self.cases.get(case)
        figures = known.figures if known else []
        return next((f for f in figures if f.metric == metric and f.margin is not None), None)


def _compact(value: Any) -> str:
    """JSON with sorted keys and each list of plain numbers on one line, so that a diff can be read."""
    return _node(value, 0) + "\n"


def _node(value: Any, depth: int) -> str:
    inner, outer = " " * (depth + 1), " " * depth
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(k)}: {_node(value[k], depth + 1)}" for k in sorted(value)]
        return "{\n" + ",\n".join(rows) + f"\n{outer}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + _node(item, depth + 1) for item in value) + f"\n{outer}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _tell(error: ValidationError) -> str:
    """The first fault and how many more there are, named as the file names them."""
    faults = error.errors(include_url=False)
    first = faults[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    shown = repr(first["input"])
    came = f", got {shown}" if first["type"] not in ("missing", "value_error") and len(shown) < 60 else ""
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return f"does not follow {SCHEMA}: {field}: {first['msg'].removeprefix('Value error, ')}{came}{more}"


def _offer(path: Path) -> str:
    known = sorted(p.stem for p in path.parent.glob("*.json"))
    near = difflib.get_close_matches(path.stem, known, n=1)
    if near:
        return f"did you mean {near[0]}? known: {', '.join(known)}"
    return f"known: {', '.join(known)}" if known else "write one with `btlib baseline accept`"
