"""The layout of a baseline file, and the readers of older ones.

"btlib-baseline/2" holds what all cases share (ids, labels, patients, true areas) once, under `samples`; a run has
columns in the same order, named `<structure>/<measure>` and `probability/<class>`. Ids are text. A file may hold more
than this version of btlib writes: any other column of a run, spreads of trainings, and the case as it was first
accepted. "btlib-baseline/1" repeated the samples in every run, and took patient codes into the identity of the data.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from btlib.data.patient_table import figshare_patients
from btlib.types import CLASS_NAMES

SCHEMA: Final = "btlib-baseline/2"
SCHEMAS: Final = ("btlib-baseline/1", SCHEMA)

FIGSHARE_V1: Final = "2baa8472d6a89c34"
"""Under version 1, the fingerprint of all 3064 Figshare slices as 8-bit images at 256 px without patient codes."""

_STRUCTURE = "tumour"
_TRUTH = f"{_STRUCTURE}/truth_area"
_MEASURES = ("intersection", "pred_area", "hd95", "surface_dice_1px", "surface_dice_2px")
_PROBABILITIES = tuple(f"probability/{name}" for name in CLASS_NAMES)

_Column = list[int | float | None]


class _Part(BaseModel):
    """Checked here where the layouts differ; all the rest is checked by `Baseline`."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class _Samples(_Part):
    model_config = ConfigDict(extra="forbid")
    id: list[str]
    label: list[int]
    patient: list[str | None]
    volume: list[str | None] | None = None
    columns: dict[str, _Column]


class _Task(_Part):
    model_config = ConfigDict(extra="forbid")
    name: str
    classes: list[str]
    structures: list[str]
    synthetic: bool


class _Run(_Part):
    model_config = ConfigDict(extra="forbid")
    seed: int
    fingerprint: str | None = None
    columns: dict[str, _Column]


class _Case(_Part):
    runs: list[_Run] = []
    first: "_Case | None" = None


class _File(_Part):
    task: _Task
    samples: _Samples | None = None
    cases: dict[str, _Case]


def from_file(value: Any) -> dict[str, Any]:
    """The fields of a `Baseline` from the content of a file of any known version.

    Raises:
        ValidationError: A part that only this layout has is not what it should be.
        ValueError: No known version, or samples that this version of btlib cannot hold.
    """
    schema = value.get("schema") if isinstance(value, Mapping) else None
    if schema not in SCHEMAS:
        raise ValueError(f"schema: expected {' or '.join(SCHEMAS)}, got {schema!r}")
    if "schema_version" in value:
        raise ValueError("schema_version: Extra inputs are not permitted")
    fields = {name: field for name, field in value.items() if name != "schema"}
    return _from_1(fields) if schema == SCHEMAS[0] else _from_2(fields)


def to_file(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file from the fields of a `Baseline`.

    Raises:
        ValueError: Two runs disagree on what they share, or a run is of other slices.
    """
    tables = [run["slices"] for case in fields["cases"].values() for run in _runs_of(case)]
    shared = _shared(tables) if tables else None
    task = {
        "name": fields["conditions"]["origin"],
        "classes": list(CLASS_NAMES),
        "structures": [_STRUCTURE],
        "synthetic": fields["conditions"]["origin"] == "phantom",
    }
    cases = {name: _case_to_file(case, shared) for name, case in fields["cases"].items()}
    samples = {} if shared is None else {"samples": shared}
    return {**fields, "schema": SCHEMA, "task": task, **samples, "cases": cases}


def upgraded(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions of version 1 as those of today: what data they are of is known by the test slices alone."""
    fields = {name: field for name, field in conditions.items() if name != "dataset_fingerprint"}
    return {**fields, "truth_fingerprint": None, "input_fingerprint": None}


def with_known_patients(slices: Mapping[str, Any], dataset_fingerprint: str | None) -> dict[str, Any]:
    """A table of version 1, with the patients of slices that are known by their data set's old fingerprint."""
    persons, numbers = figshare_patients().persons, slices.get("number")
    if dataset_fingerprint != FIGSHARE_V1 or not isinstance(numbers, list):
        return dict(slices)
    if not all(type(number) is int and 1 <= number <= len(persons) for number in numbers):
        return dict(slices)  # which the table refuses by name
    return {**slices, "patient": [str(persons[number - 1]) for number in numbers]}


def _from_1(fields: dict[str, Any]) -> dict[str, Any]:
    conditions, cases = fields.get("conditions"), fields.get("cases")
    if not isinstance(conditions, Mapping) or not isinstance(cases, Mapping):
        return fields  # which `Baseline` refuses by name
    known = conditions.get("dataset_fingerprint")

    def run_of(run: Any) -> Any:
        slices = run.get("slices") if isinstance(run, Mapping) else None
        return {**run, "slices": with_known_patients(slices, known)} if isinstance(slices, Mapping) else run

    converted = {
        name: {**case, "runs": [run_of(run) for run in case["runs"]]}
        if isinstance(case, Mapping) and isinstance(case.get("runs"), list)
        else case
        for name, case in cases.items()
    }
    return {**fields, "schema_version": 1, "conditions": upgraded(conditions), "cases": converted}


def _from_2(fields: dict[str, Any]) -> dict[str, Any]:
    file = _File.model_validate(fields)
    if tuple(file.task.classes) != CLASS_NAMES or file.task.structures != [_STRUCTURE]:
        raise ValueError(
            f"task: this version of btlib reads classes {', '.join(CLASS_NAMES)} and the structure {_STRUCTURE}; "
            f"the file has {', '.join(file.task.classes) or 'none'} and {', '.join(file.task.structures) or 'none'}"
        )
    conditions = fields.get("conditions")
    origin = conditions.get("origin") if isinstance(conditions, Mapping) else file.task.name
    if file.task.name != origin or file.task.synthetic != (origin == "phantom"):
        raise ValueError(f"task: {file.task.name}, synthetic {file.task.synthetic}; but conditions.origin is {origin}")
    samples = file.samples

    def case_of(case: _Case) -> dict[str, Any]:
        if case.runs and samples is None:
            raise ValueError("samples: missing, and there are runs")
        rest = dict(case.model_extra or {})
        runs = {"runs": [_run_of(run, samples) for run in case.runs]} if samples is not None and case.runs else {}
        first = {} if case.first is None else {"first": case_of(case.first)}
        return {**rest, **runs, **first}

    rest = {name: value for name, value in fields.items() if name not in ("task", "samples", "cases")}
    return {**rest, "schema_version": 2, "cases": {name: case_of(case) for name, case in file.cases.items()}}


def _run_of(run: _Run, samples: _Samples) -> dict[str, Any]:
    strange = [name for name in samples.id if not (name.isascii() and name.isdecimal() and str(int(name)) == name)]
    if strange or samples.volume is not None:
        what = f"the id {strange[0]!r}" if strange else "volumes"
        raise ValueError(f"samples: {what}: this version of btlib reads slices with whole numbers for ids")
    if list(samples.columns) != [_TRUTH]:
        raise ValueError(f"samples.columns: expected {_TRUTH} alone, got {', '.join(samples.columns) or 'nothing'}")
    columns = dict(run.columns)
    slices: dict[str, Any] = {
        "number": [int(name) for name in samples.id],
        "label": samples.label,
        "patient": samples.patient,
        "truth_area": samples.columns[_TRUTH],
    }
    slices |= {name: columns.pop(key) for name in _MEASURES if (key := f"{_STRUCTURE}/{name}") in columns}
    probabilities = [columns.pop(key) for key in _PROBABILITIES if key in columns]
    if len(probabilities) not in (0, len(_PROBABILITIES)):
        raise ValueError(f"columns: expected all of {', '.join(_PROBABILITIES)}, or none")
    if probabilities:
        slices["class_prob"] = [list(row) for row in zip(*probabilities, strict=True)]
    more = {"columns": columns} if columns else {}
    return {"seed": run.seed, "fingerprint": run.fingerprint, "slices": slices, **more}


def _runs_of(case: Mapping[str, Any]) -> list[Any]:
    return [*case.get("runs", []), *(case["first"].get("runs", []) if case.get("first") else [])]


def _shared(tables: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What all tables say of the slices, in the order of the first; they must agree."""
    first = tables[0]
    rows = {name: dict(zip(first["number"], first[name], strict=True)) for name in ("label", "patient", "truth_area")}
    for table in tables[1:]:
        if set(table["number"]) != set(first["number"]):
            raise ValueError("its runs are not of the same slices")
        for name, known in rows.items():
            for number, value in zip(table["number"], table[name], strict=True):
                if known[number] is None:
                    known[number] = value  # a patient that only the later run knows
                elif value is not None and known[number] != value:
                    raise ValueError(f"its runs disagree on {name} of slice {number}: {known[number]} and {value}")
    numbers = first["number"]
    return {
        "id": [str(number) for number in numbers],
        "label": [rows["label"][number] for number in numbers],
        "patient": [rows["patient"][number] for number in numbers],
        "columns": {_TRUTH: [rows["truth_area"][number] for number in numbers]},
    }


def _case_to_file(case: Mapping[str, Any], shared: Mapping[str, Any] | None) -> dict[str, Any]:
    rest = {name: value for name, value in case.items() if name not in ("runs", "first")}
    runs = {"runs": [_run_to_file(run, shared["id"]) for run in case["runs"]]} if shared and case.get("runs") else {}
    first = {"first": _case_to_file(case["first"], shared)} if case.get("first") else {}
    return {**rest, **runs, **first}


def _run_to_file(run: Mapping[str, Any], ids: list[str]) -> dict[str, Any]:
    slices = run["slices"]
    at = {str(number): i for i, number in enumerate(slices["number"])}
    order = [at[name] for name in ids]
    columns = {f"{_STRUCTURE}/{name}": slices[name] for name in _MEASURES if slices.get(name) is not None}
    if slices.get("class_prob") is not None:
        columns |= {name: [row[k] for row in slices["class_prob"]] for k, name in enumerate(_PROBABILITIES)}
    columns |= run.get("columns", {})
    return {
        "seed": run["seed"],
        "fingerprint": run["fingerprint"],
        "columns": {name: [column[i] for i in order] for name, column in columns.items()},
    }
