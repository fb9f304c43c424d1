"""JSON Schemas (draft 2020-12) of the files that other programs may read: baselines, records, judgements."""

from copy import deepcopy
from typing import Any

from btlib.gate.judgement import Judgement
from btlib.gate.layout import SCHEMA, Run, Samples
from btlib.gate.schema import Baseline
from btlib.runs.record import CaseRecord
from btlib.stored import Stored

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DIGEST = {
    "type": "string",
    "description": "Digest of the file's content; btlib refuses a file whose content does not match it.",
}

_SEALED = {"description": "Whether the file has a digest; older versions did not write one."}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by kind of file: "baseline", "record", "judgement"."""
    return {"baseline": _baseline(), "record": _stored(CaseRecord), "judgement": _stored(Judgement)}


def _stored(kind: type[Stored]) -> dict[str, Any]:
    """Return the schema of a model that is written as it is, with a digest."""
    found = kind.model_json_schema(by_alias=True)
    found["properties"] |= {"digest": _DIGEST, "sealed": _SEALED}
    found["required"] = sorted({*found.get("required", []), "schema"})
    return {"$schema": _DRAFT, **found}


def _baseline() -> dict[str, Any]:
    """Return the schema of a baseline file, which stores the data that all runs share only once."""
    found = Baseline.model_json_schema(by_alias=True)
    parts, properties = found["$defs"], found["properties"]
    parts |= {"Run": Run.model_json_schema(), "Samples": Samples.model_json_schema()}
    parts["BaselineCase"]["properties"]["runs"] = {"type": "array", "items": {"$ref": "#/$defs/Run"}}
    conditions = parts["Conditions"]
    parts["CaseConditions"] = deepcopy(conditions)
    of_case = parts["BaselineCase"]["properties"]
    of_case["conditions"]["anyOf"][0] = {"$ref": "#/$defs/CaseConditions"}
    of_case["samples"] = {"$ref": "#/$defs/Samples"}
    del conditions["properties"]["task"], properties["schema_version"]
    conditions["properties"]["origin"] = {"type": "string", "description": "Name of the task."}
    conditions["required"] = sorted({*conditions["required"], "origin"} - {"task"})
    for name in ("SeedRun", "SampleTable"):
        parts.pop(name)
    task = {
        "type": "object",
        "required": ["name"],
        "description": "A task; a built-in task is stored by its name alone.",
    }
    properties |= {"schema": {"const": SCHEMA}, "digest": _DIGEST, "task": task, "samples": {"$ref": "#/$defs/Samples"}}
    found["required"] = sorted({*found["required"], "schema", "digest", "task"})
    return {"$schema": _DRAFT, **found}
