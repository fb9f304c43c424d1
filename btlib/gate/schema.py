"""Baselines as read from `baselines/<name>.json`, strictly validated. `btlib.gate.layout` describes the file."""

import difflib
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from btlib import files, fingerprint, stats
from btlib.errors import BaselineError
from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import metrics_of
from btlib.gate.baseline_case import BaselineCase, Provenance, PublishedTest, ReferenceValue, Spread, Strict
from btlib.gate.layout import SCHEMA, SCHEMAS, from_file, to_file
from btlib.gate.sides import distinct, seed_is_ignored
from btlib.gate.text import compact
from btlib.ranges import described
from btlib.results import CaseResult, Conditions
from btlib.sample_table import require_task

_HINT = "restore it from git, or accept a run again (`btlib baseline accept`)"


class Baseline(Strict):
    """Named set of numbers that cases are compared with.

    Attributes:
        name: Name of the file without `.json`.
        kind: "published" (read from a publication) or "measured" (by btlib, with numbers per sample).
        title: Title, one line.
        source: Publication, or command of the measurement.
        created: Date, ISO 8601.
        reason: Why these numbers are the baseline.
        tier: Tier of the run it came from; None for a published baseline.
        commit: Commit of the code that measured it; None if unknown.
        recipe: Training recipe of its cases; None if they were not trained.
        environment: Software versions and hardware of the measurement.
        conditions: Conditions of the measurement.
        cases: Numbers of each case, by case name.
        tests: Published significance tests.
        facts: Published numbers that belong to no case.
        spreads: Metric → variation between trainings, over all cases, if it was measured.
        schema_version: Schema version of the file it was read from. A measured baseline of version 1 has no fingerprint
            of the truth and cannot be written again (convert it with `btlib baseline migrate`).
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
        for name, case in self.cases.items():
            conditions = self.conditions_of(name)
            self._check_identity(conditions)
            self._check_figures(name, case, conditions)
            if self.kind == "measured" and not case.runs:
                raise ValueError(f"cases.{name}.runs: a measured baseline needs numbers per sample")
            for run in case.runs:
                require_task(run.samples, conditions.task)
                if conditions.patients is not None and None in run.samples.patient:
                    raise ValueError(
                        f"cases.{name}.runs: a sample has no patient, but conditions.patients counts patients"
                    )
                if run.samples.n != conditions.n_test:
                    raise ValueError(
                        f"cases.{name}.runs: {run.samples.n} samples, but conditions.n_test is {conditions.n_test}"
                    )
        return self

    def _check_identity(self, conditions: Conditions) -> None:
        known = ["split_fingerprint"]
        if self.schema_version == 2:
            known = ["truth_fingerprint", *(["input_fingerprint"] if conditions.task.has_images else []), *known]
        for field in known:
            if self.kind == "measured" and getattr(conditions, field) is None:
                raise ValueError(f"conditions.{field}: required in a measured baseline")

    def _check_figures(self, name: str, case: BaselineCase, conditions: Conditions) -> None:
        if case.conditions is not None and conditions.task.has_images:
            raise ValueError(f"cases.{name}.conditions: only a task without images may have conditions of its own")
        for number, figure in enumerate(case.figures):
            try:
                figure.require_gated(metrics_of(conditions.task))
            except ValueError as error:
                raise ValueError(f"cases.{name}.figures.{number}: {error}") from error

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a baseline file.

        Raises:
            BaselineError: The file does not exist, cannot be read, or is invalid. This is the only error.
        """
        path = Path(path)
        try:
            files.require_regular(path)
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise BaselineError("no such baseline file", where=path, hint=_offer(path)) from error
        except (OSError, ValueError) as error:  # not text, or not a valid path
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
        except (ValueError, OverflowError) as error:  # not JSON, or with invalid or too large numbers
            raise BaselineError(f"does not follow {_schema_of(value)}: {error}", where=path, hint=_HINT) from error
        if not intact:
            raise BaselineError(
                "digest: does not match the content: the file was edited by hand or is damaged", where=path, hint=_HINT
            )
        return loaded

    def save(self, path: Path) -> None:
        """Write the baseline atomically, with sorted keys and a digest of its content.

        Raises:
            BaselineError: The baseline was read from a file of version 1, or its runs disagree on the samples.
        """
        fields = self.model_dump(mode="json", exclude_defaults=True)
        try:
            if self.schema_version != 2:
                raise ValueError(f"it was read from {SCHEMAS[0]} and does not identify its data")
            value = to_file(fields)
        except ValueError as error:
            hint = f"convert the old file first: btlib baseline migrate {path} --data FOLDER"
            raise BaselineError(f"cannot be written as {SCHEMA}: {error}", where=path, hint=hint) from error
        files.write_text(path, compact(value | {"digest": fingerprint.of(value)}))

    @cached_property
    def identity(self) -> str:
        """Name of the baseline and fingerprint of its complete content."""
        return f"{self.name}: {fingerprint.of(self.model_dump(mode='json', exclude_defaults=True))}"

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other fields; its identity is computed again."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("identity", "_spreads_known"):
            copied.__dict__.pop(name, None)
        return copied

    def conditions_of(self, case: str) -> Conditions:
        """Return the conditions of a case: its own if it has them, else the baseline's."""
        known = self.cases.get(case)
        return self.conditions if known is None or known.conditions is None else known.conditions

    def provenance_of(self, case: str) -> Provenance:
        """Return the provenance of a case: its own if it has one, else the baseline's."""
        known = self.cases.get(case)
        if known is not None and known.made is not None:
            return known.made
        return Provenance(**{name: getattr(self, name) for name in Provenance.model_fields})

    def figure(self, case: str, metric: str) -> ReferenceValue | None:
        """Return the figure of a case for a metric that has a margin; None if there is none."""
        known = self.cases.get(case)
        figures = known.figures if known else []
        return next((f for f in figures if f.metric == metric and f.margin is not None), None)

    def gated(self, case: str) -> list[str]:
        """Return the metrics of a case that have a margin; empty if the case is unknown."""
        known = self.cases.get(case)
        return [f.metric for f in known.figures if f.margin is not None] if known else []

    @property
    def family(self) -> int:
        """Number of gated metrics of all cases: the tests over which the error rate of a suite is divided."""
        return sum(len(self.gated(case)) for case in self.cases)

    def spread_of(self, case: str, metric: str) -> stats.Variance | None:
        """Return the variance between trainings of a case, stored or from its seeds; None if it is not known."""
        if (case, metric) not in self._spreads_known:
            self._spreads_known[case, metric] = self._spread(case, metric)
        return self._spreads_known[case, metric]

    @cached_property
    def _spreads_known(self) -> dict[tuple[str, str], stats.Variance | None]:
        return {}

    def _spread(self, case: str, metric: str) -> stats.Variance | None:
        known = self.cases[case]
        if (stored := known.spread.get(metric)) is not None:
            return stats.Variance(stored.sd**2, stored.trainings - 1)
        if metric not in self.gated(case) or seed_is_ignored(known.runs):
            return None
        aggregates = [gated_value(run.samples, metric, "slice-mean", 16) for run in distinct(known.runs)]
        return stats.pooled([aggregates])

    def result(self, case: str) -> CaseResult | None:
        """Return the measured numbers of a case; None if it has none, as in a published baseline."""
        known = self.cases.get(case)
        if known is None or not known.runs:
            return None
        metrics = {f.metric: f.version for f in known.figures if f.margin is not None}
        return CaseResult(case, known.title, self.conditions_of(case), metrics, tuple(known.runs))


def _schema_of(value: object) -> str:
    """Return the schema named in a file if btlib knows it, else the current one."""
    schema = value.get("schema") if isinstance(value, dict) else None
    return schema if schema in SCHEMAS else SCHEMA


def _first_fault(error: ValidationError, value: object) -> str:
    """Return the first fault, with the names of the file, and the number of further faults."""
    faults = error.errors(include_url=False)
    first = faults[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return f"does not follow {_schema_of(value)}: {field}: {described(first)}{more}"


def _offer(path: Path) -> str:
    known = sorted(p.stem for p in path.parent.glob("*.json"))
    near = difflib.get_close_matches(path.stem, known, n=1)
    if near:
        return f"did you mean {near[0]}? known: {', '.join(known)}"
    return f"known: {', '.join(known)}" if known else "write one with `btlib baseline accept`"
