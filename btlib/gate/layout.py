"""Layout of baseline files, and readers of older layouts.

"btlib-baseline/2" stores the data that all cases share (ids, labels, patients, true areas) once, under `samples`. A run
has columns in the same order, named `<structure>/<measure>` and `probability/<class>`. Ids are text. A file may contain
more than this version of btlib writes: other columns of a run, spreads between trainings, and the case as it was first
accepted. "btlib-baseline/1" repeated the samples in every run, and its fingerprint of the data included patient codes.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from btlib import older
from btlib.data.sources.tasks import BUILT_IN
from btlib.sample_table import TRUTH

SCHEMA: Final = "btlib-baseline/2"
SCHEMAS: Final = ("btlib-baseline/1", SCHEMA)

_Column = list[int | float | None]


class _Part(BaseModel):
    """Part of a file whose layout differs between versions; all other parts are validated by `Baseline`."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class Samples(_Part):
    """Data that the runs of all cases share; all columns have the same order."""

    model_config = ConfigDict(extra="forbid")
    id: list[str]
    label: list[int] | None = None
    patient: list[str | None]
    volume: list[str] | None = None
    columns: dict[str, _Column]


class Run(_Part):
    """The numbers of one training, in the order of the samples."""

    model_config = ConfigDict(extra="forbid")
    seed: int
    fingerprint: str | None = None
    file_digest: str | None = None
    columns: dict[str, _Column]


class _Case(_Part):
    conditions: dict[str, Any] | None = None
    samples: Samples | None = None
    runs: list[Run] = []
    first: "_Case | None" = None


class _File(_Part):
    task: dict[str, Any]
    samples: Samples | None = None
    cases: dict[str, _Case]


def from_file(value: Any) -> dict[str, Any]:
    """Return the fields of a `Baseline` from the content of a file of any known version.

    Raises:
        ValidationError: A part that only this layout has is invalid.
        ValueError: The version is unknown.
    """
    schema = value.get("schema") if isinstance(value, Mapping) else None
    if schema not in SCHEMAS:
        raise ValueError(f"schema: expected {' or '.join(SCHEMAS)}, got {schema!r}")
    if "schema_version" in value:
        raise ValueError("schema_version: Extra inputs are not permitted")
    fields = {name: field for name, field in value.items() if name != "schema"}
    return _from_1(fields) if schema == SCHEMAS[0] else _from_2(fields)


def to_file(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a file from the fields of a `Baseline`.

    Raises:
        ValueError: Two runs disagree on the shared data, a run has other samples, or the task has the name of a
            built-in task but differs from it.
    """
    tables = [run["samples"] for case in fields["cases"].values() for run in _runs_of(case)]
    shared = _shared(tables) if tables else None
    conditions = dict(fields["conditions"])
    task = conditions.pop("task")
    always = {name: task.get(name, default) for name, default in _TASK.items()}
    if task["name"] in BUILT_IN:
        task = {"name": _known_task(task)["name"]}  # the rest is built in
    cases = {name: _case_to_file(case, shared) for name, case in fields["cases"].items()}
    samples = {} if shared is None else {"samples": shared}
    return {
        **fields,
        "schema": SCHEMA,
        "task": task | always,
        "conditions": {"origin": task["name"], **conditions},
        **samples,
        "cases": cases,
    }


_NO_IMAGES: Final[dict[str, Any]] = {}
"""Classes and structures of a case with its own conditions: it has none."""

_TASK: Final = {"classes": [], "structures": [], "synthetic": False}
"""Fields of the task that a file always contains, even with their default values."""


def _from_1(fields: dict[str, Any]) -> dict[str, Any]:
    conditions, cases = fields.get("conditions"), fields.get("cases")
    if not isinstance(conditions, Mapping) or not isinstance(cases, Mapping):
        return fields  # `Baseline` reports the invalid field
    known = conditions.get("dataset_fingerprint")

    def run_of(run: Any) -> Any:
        slices = run.get("slices") if isinstance(run, Mapping) else None
        if not isinstance(slices, Mapping):
            return run
        rest = {name: field for name, field in run.items() if name not in ("slices", "columns")}
        return {**rest, "samples": older.table(older.with_known_patients(slices, known), run.get("columns"))}

    converted = {
        name: {**case, "runs": [run_of(run) for run in case["runs"]]}
        if isinstance(case, Mapping) and isinstance(case.get("runs"), list)
        else case
        for name, case in cases.items()
    }
    return {**fields, "schema_version": 1, "conditions": older.conditions_of_1(conditions), "cases": converted}


def _from_2(fields: dict[str, Any]) -> dict[str, Any]:
    file = _File.model_validate(fields)
    task = _known_task(file.task)
    conditions = fields.get("conditions")
    if isinstance(conditions, Mapping):
        origin = conditions.get("origin")
        if origin != task.get("name"):
            raise ValueError(f"task: its name is {task.get('name')!r}, but conditions.origin is {origin!r}")
        own = {name: field for name, field in conditions.items() if name != "origin"}
        fields = {**fields, "conditions": {**own, "task": task}}
    samples = file.samples

    def case_of(case: _Case) -> dict[str, Any]:
        own = {} if case.conditions is None else {"conditions": case.conditions}
        if (case.samples is not None) > bool(own):
            raise ValueError("samples of a case: they need conditions of the case")
        shared, asked = (samples, task) if case.conditions is None else (case.samples, _NO_IMAGES)
        if case.runs and shared is None:
            raise ValueError("samples: missing, but there are runs")
        rest = dict(case.model_extra or {})
        runs = {"runs": [_run_of(run, shared, asked) for run in case.runs]} if shared is not None and case.runs else {}
        first = {} if case.first is None else {"first": case_of(case.first)}
        return {**rest, **own, **runs, **first}

    rest = {name: value for name, value in fields.items() if name not in ("task", "samples", "cases")}
    return {**rest, "schema_version": 2, "cases": {name: case_of(case) for name, case in file.cases.items()}}


def _known_task(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a built-in task with all its fields (older files contain only some); return other tasks unchanged."""
    built_in = BUILT_IN.get(str(value.get("name")))
    if built_in is None:
        return dict(value)
    own = built_in.model_dump(mode="json")
    for name, field in value.items():
        if name not in own:
            raise ValueError(f"task.{name}: Extra inputs are not permitted")
        if own[name] != field:
            raise ValueError(f"task.{name}: expected {own[name]!r} for a built-in task, got {field!r}")
    return own


def _run_of(run: Run, samples: Samples, task: Mapping[str, Any]) -> dict[str, Any]:
    table = {
        "id": samples.id,
        "label": samples.label,
        "patient": samples.patient,
        "volume": samples.volume,
        "classes": task.get("classes", []),
        "structures": task.get("structures", []),
        "columns": {**samples.columns, **run.columns},
    }
    if twice := sorted(samples.columns.keys() & run.columns.keys()):
        raise ValueError(f"columns: {twice[0]} is both in samples and in a run")
    return {"seed": run.seed, "fingerprint": run.fingerprint, "file_digest": run.file_digest, "samples": table}


def _runs_of(case: Mapping[str, Any]) -> list[Any]:
    """Return the runs of a case and of its first numbers, except those with samples of their own."""
    own = [] if case.get("conditions") else case.get("runs", [])
    return [*own, *(_runs_of(case["first"]) if case.get("first") else [])]


def _shared(tables: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the data that all tables share, in the order of the first table; the tables must agree."""
    first = tables[0]
    ids, names = first["id"], [f"{structure}/{TRUTH}" for structure in first.get("structures", [])]
    rows = {name: dict(zip(ids, values, strict=True)) for name, values in _truth(first, names).items()}
    for table in tables[1:]:
        if set(table["id"]) != set(ids):
            raise ValueError("its runs do not have the same samples")
        for name, values in _truth(table, names).items():
            known = rows[name]
            for sample, value in zip(table["id"], values, strict=True):
                if known[sample] is None:
                    known[sample] = value  # a patient that only a later run contains
                elif value is not None and known[sample] != value:
                    raise ValueError(f"its runs disagree on {name} of sample {sample}: {known[sample]} and {value}")
    columns = {name: [rows[name][sample] for sample in ids] for name in names}
    truth = {
        name: [rows[name][sample] for sample in ids]
        for name in ("label", "patient", "volume")
        if any(value is not None for value in rows[name].values()) or name == "patient"
    }
    return {"id": ids, **truth, "columns": columns}


def _truth(table: Mapping[str, Any], names: list[str]) -> dict[str, list[Any]]:
    """Return the columns that all runs share."""
    nothing = [None] * len(table["id"])
    shared = {name: table.get(name) or nothing for name in ("label", "patient", "volume")}
    return shared | {name: table["columns"].get(name, nothing) for name in names}


def _case_to_file(case: Mapping[str, Any], shared: Mapping[str, Any] | None) -> dict[str, Any]:
    rest = {name: value for name, value in case.items() if name not in ("runs", "first")}
    samples = {}
    if case.get("conditions"):
        shared = _shared([run["samples"] for run in case["runs"]])
        samples = {"samples": shared}
    runs = {"runs": [_run_to_file(run, shared) for run in case["runs"]]} if shared and case.get("runs") else {}
    first = {"first": _case_to_file(case["first"], shared)} if case.get("first") else {}
    return {**rest, **samples, **runs, **first}


def _run_to_file(run: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    table = run["samples"]
    at = {name: i for i, name in enumerate(table["id"])}
    order = [at[name] for name in shared["id"]]
    own = {name: column for name, column in table["columns"].items() if name not in shared["columns"]}
    return {
        "seed": run["seed"],
        "fingerprint": run["fingerprint"],
        **({"file_digest": run["file_digest"]} if run.get("file_digest") is not None else {}),
        "columns": {name: [column[i] for i in order] for name, column in own.items()},
    }
