"""What a baseline file holds, strictly checked: `baselines/<name>.json`, schema "btlib-baseline/1"."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from btlib import files, fingerprint
from btlib.baselines.pace import Pace
from btlib.errors import BaselineError
from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS
from btlib.results import CaseResult, Conditions, SeedRun

SCHEMA: Final = "btlib-baseline/1"

Aggregation = Literal["slice-mean", "batch-mean", "class-mean", "class", "slice-class-mean", "none"]
"""Over what a figure is a mean: slices; means of batches; tumour types; one tumour type's own score; slices of one
tumour type; or nothing (a count, a time)."""

_MEND = "restore it from git, or accept a run anew (`btlib baseline accept`)"
_AGREE = 5e-5  # a stored mean is rounded to four digits at worst


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Figure(_Strict):
    """One number of a case.

    Attributes:
        metric: "dice", "accuracy", "macro_f1", "parameters" …
        version: Of the metric's definition (see `btlib.evaluation.catalogue`).
        value: In `unit`.
        aggregation: Over what it is a mean.
        unit: "1" for shares of one, else such as "px", "s" or "images/s".
        n: How many slices it rests on; None where it rests on none, or their number is not known.
        std: Standard deviation (n − 1) over slices, where known.
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
    tumour_class: Literal["meningioma", "glioma", "pituitary"] | None = None
    margin: Annotated[float, Field(gt=0)] | None = None
    source: str
    note: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.margin is None:
            return self
        if self.metric not in METRICS or METRICS[self.metric].level != "slice":
            raise ValueError(f"{self.metric}: only a metric that every slice has can carry a margin")
        low, high = METRICS[self.metric].range
        if self.aggregation not in ("slice-mean", "batch-mean") or not low <= self.value <= high:
            raise ValueError(f"a figure with a margin must be a slice or batch mean within {low:g}…{high:g}")
        if self.margin >= high - low:
            raise ValueError(f"margin {self.margin:g} is wider than the range {low:g}…{high:g} of {self.metric}")
        return self


class BaselineCase(_Strict):
    """What is known of one case.

    Attributes:
        title: What it is.
        figures: Its numbers; at most one gated figure a metric.
        runs: Per-slice numbers, where they were measured.
        speed: Figure ("inference, batch 16") → how fast it was on the machine of the baseline's environment.
        peak_memory_mib: Largest memory of the process while predicting there.
    """

    title: str
    figures: list[Figure]
    runs: list[SeedRun] = []
    speed: dict[str, Pace] = {}
    peak_memory_mib: float | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        gated = [figure.metric for figure in self.figures if figure.margin is not None]
        if len(set(gated)) != len(gated):
            raise ValueError("figures: more than one gated figure (with a margin) of one metric")
        numbers = {tuple(sorted(run.slices.number)) for run in self.runs}
        if len(numbers) > 1:
            raise ValueError("runs: they are not of the same slices")
        if len({run.seed for run in self.runs}) != len(self.runs):
            raise ValueError("runs: a seed stands in it more than once")
        for figure in self.figures if self.runs else ():
            if figure.margin is not None:
                self._check_gated(figure)
        return self

    def _check_gated(self, figure: Figure) -> None:
        """A figure that its own slices contradict was edited by hand."""
        for run in self.runs:
            if not METRICS[figure.metric].available(run.slices):
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
        tier: The tier of the run it came from; None for a published one.
        commit: Of the code that measured it, where known.
        recipe: How its cases were trained, where they were.
        environment: Versions and hardware that measured it.
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
    tier: str | None = None
    commit: str | None = None
    recipe: dict[str, str | int | float | bool | None] | None = None
    environment: dict[str, str] = {}
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
            value = json.loads(text)
            digest = value.pop("digest", None) if isinstance(value, dict) else None
            loaded = cls.model_validate_json(json.dumps(value))
            intact = digest == fingerprint.of(value)
        except ValidationError as error:
            raise BaselineError(_tell(error), where=path, mend=_MEND) from error
        except RecursionError as error:
            raise BaselineError("is nested too deeply", where=path, mend=_MEND) from error
        except ValueError as error:  # no JSON, or with numbers that are none
            raise BaselineError(f"does not follow {SCHEMA}: {error}", where=path, mend=_MEND) from error
        if not intact:
            raise BaselineError("digest: does not fit the content: edited by hand or damaged", where=path, mend=_MEND)
        return loaded

    def save(self, path: Path) -> None:
        """Write it with sorted keys and a digest of its content, atomically."""
        value = self.model_dump(mode="json", exclude_defaults=True) | {"schema": SCHEMA}
        files.write_text(path, _compact(value | {"digest": fingerprint.of(value)}))

    def figure(self, case: str, metric: str) -> Figure | None:
        """The gated figure of a metric of a case; None where there is none."""
        known = self.cases.get(case)
        figures = known.figures if known else []
        return next((f for f in figures if f.metric == metric and f.margin is not None), None)

    def gated(self, case: str) -> list[str]:
        """The metrics that a case is held to; empty where the case is unknown."""
        known = self.cases.get(case)
        return [f.metric for f in known.figures if f.margin is not None] if known else []

    def result(self, case: str) -> CaseResult | None:
        """The measured numbers of a case; None where it has none, as in a published baseline."""
        known = self.cases.get(case)
        if known is None or not known.runs:
            return None
        metrics = {f.metric: f.version for f in known.figures if f.margin is not None}
        return CaseResult(case, known.title, self.conditions, metrics, tuple(known.runs))


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
