"""A baseline: what `baselines/<name>.json` says, strictly checked. The layout of the file: `btlib.gate.layout`."""

import difflib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from btlib import files, fingerprint
from btlib.errors import BaselineError
from btlib.gate.baseline_case import BaselineCase, Provenance, PublishedTest, ReferenceValue, Spread, Strict
from btlib.gate.layout import SCHEMA, SCHEMAS, from_file, to_file
from btlib.gate.text import compact
from btlib.results import CaseResult, Conditions
from btlib.sample_table import require_task

_HINT = "restore it from git, or accept a run anew (`btlib baseline accept`)"


class Baseline(Strict):
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
        spreads: Metric → how much it differs between trainings, all cases together, where that was measured.
        schema_version: Of the file it was read from. A measured one of version 1 does not know the truth its numbers
            rest on but by its test samples, and cannot be written again (`btlib baseline migrate`).
    """

    name: str
    kind: Literal["published", "measured"]
    title: str
    source: str
    created: str
    reason: str
    tier: str | None = None
    commit: str | None = None
    recipe: dict[str, str | int | float | bool | None] | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    conditions: Conditions
    cases: Annotated[dict[str, BaselineCase], Field(min_length=1)]
    tests: list[PublishedTest] = Field(default_factory=list)
    facts: list[ReferenceValue] = Field(default_factory=list)
    spreads: dict[str, Spread] = Field(default_factory=dict)
    schema_version: Literal[1, 2] = 2

    @model_validator(mode="after")
    def _check(self) -> Self:
        known = ("truth_fingerprint", "input_fingerprint") if self.schema_version == 2 else ()
        for field in (*known, "split_fingerprint"):
            if self.kind == "measured" and getattr(self.conditions, field) is None:
                raise ValueError(f"conditions.{field}: a measured baseline knows its samples")
        for name, case in self.cases.items():
            if self.kind == "measured" and not case.runs:
                raise ValueError(f"cases.{name}.runs: a measured baseline needs per-slice numbers")
            for run in case.runs:
                require_task(run.samples, self.conditions.task)
                if self.conditions.patients is not None and None in run.samples.patient:
                    raise ValueError(
                        f"cases.{name}.runs: a sample without patient, and conditions.patients counts them"
                    )
                if run.samples.n != self.conditions.n_test:
                    raise ValueError(
                        f"cases.{name}.runs: {run.samples.n} samples, conditions.n_test says {self.conditions.n_test}"
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
            files.require_regular(path)
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise BaselineError("no such baseline file", where=path, hint=_offer(path)) from error
        except (OSError, ValueError) as error:  # no text, or a path that is none
            raise BaselineError(f"cannot be read: {error}", where=path, hint="restore it from git") from error
        value: object = None
        try:
            value = json.loads(text)
            digest = value.pop("digest", None) if isinstance(value, dict) else None
            loaded = cls.model_validate_json(json.dumps(from_file(value)))
            intact = digest == fingerprint.of(value)
        except ValidationError as error:
            raise BaselineError(_first_fault(error, value), where=path, hint=_HINT) from error
        except RecursionError as error:
            raise BaselineError("is nested too deeply", where=path, hint=_HINT) from error
        except (ValueError, OverflowError) as error:  # no JSON, or with numbers that are none or too large
            raise BaselineError(f"does not follow {_schema_of(value)}: {error}", where=path, hint=_HINT) from error
        if not intact:
            raise BaselineError("digest: does not fit the content: edited by hand or damaged", where=path, hint=_HINT)
        return loaded

    def save(self, path: Path) -> None:
        """Write it with sorted keys and a digest of its content, atomically.

        Raises:
            BaselineError: It was read from a file of version 1, or its runs disagree on the samples.
        """
        fields = self.model_dump(mode="json", exclude_defaults=True)
        try:
            if self.schema_version != 2:
                raise ValueError(f"it was read from {SCHEMAS[0]} and does not know the data it rests on")
            value = to_file(fields)
        except ValueError as error:
            hint = f"bring the old file up to date first: btlib baseline migrate {path} --data FOLDER"
            raise BaselineError(f"cannot be written as {SCHEMA}: {error}", where=path, hint=hint) from error
        files.write_text(path, compact(value | {"digest": fingerprint.of(value)}))

    @cached_property
    def identity(self) -> str:
        """Its name, and a fingerprint of all that it holds."""
        return f"{self.name}: {fingerprint.of(self.model_dump(mode='json', exclude_defaults=True))}"

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields, and so with an identity of its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("identity", None)
        return copied

    def made(self, case: str) -> Provenance:
        """How the numbers of a case came about: as all of them did, or by itself where it was added later."""
        known = self.cases.get(case)
        if known is not None and known.made is not None:
            return known.made
        return Provenance(**{name: getattr(self, name) for name in Provenance.model_fields})

    def figure(self, case: str, metric: str) -> ReferenceValue | None:
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


def _schema_of(value: object) -> str:
    """The schema that a file says it follows, where it is one of ours; else today's."""
    schema = value.get("schema") if isinstance(value, dict) else None
    return schema if schema in SCHEMAS else SCHEMA


def _first_fault(error: ValidationError, value: object) -> str:
    """The first fault and how many more there are, named as the file names them."""
    faults = error.errors(include_url=False)
    first = faults[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    shown = repr(first["input"])
    came = f", got {shown}" if first["type"] not in ("missing", "value_error") and len(shown) < 60 else ""
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return f"does not follow {_schema_of(value)}: {field}: {first['msg'].removeprefix('Value error, ')}{came}{more}"


def _offer(path: Path) -> str:
    known = sorted(p.stem for p in path.parent.glob("*.json"))
    near = difflib.get_close_matches(path.stem, known, n=1)
    if near:
        return f"did you mean {near[0]}? known: {', '.join(known)}"
    return f"known: {', '.join(known)}" if known else "write one with `btlib baseline accept`"
