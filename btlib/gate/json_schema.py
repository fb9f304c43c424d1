"""JSON Schemas (draft 2020-12) of the files that other programs may read: baselines, records, judgements."""

from typing import Any

from btlib.gate.judgement import Judgement
from btlib.gate.layout import SCHEMA, Run, Samples
from btlib.gate.schema import Baseline
from btlib.runs.record import CaseRecord
from btlib.stored import Stored

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DIGEST = {"type": "string", "description": "Of the content of the file; btlib refuses a file that it does not fit."}

_SEALED = {"description": "That the file has a digest, which older versions did not write."}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Schema by the kind of file: "baseline", "record", "judgement"."""
    return {"baseline": _baseline(), "record": _stored(CaseRecord), "judgement": _stored(Judgement)}


def _stored(kind: type[Stored]) -> dict[str, Any]:
    """Of a value that is written as it is, and sealed."""
    found = kind.model_json_schema(by_alias=True)
    found["properties"] |= {"digest": _DIGEST, "sealed": _SEALED}
    found["required"] = sorted({*found.get("required", []), "schema"})
    return {"$schema": _DRAFT, **found}


def _baseline() -> dict[str, Any]:
    """Of a baseline, whose file has a layout of its own: what all runs share stands in it once."""
    found = Baseline.model_json_schema(by_alias=True)
    parts, properties = found["$defs"], found["properties"]
    parts |= {"Run": Run.model_json_schema(), "Samples": Samples.model_json_schema()}
    parts["BaselineCase"]["properties"]["runs"] = {"type": "array", "items": {"$ref": "#/$defs/Run"}}
    conditions = parts["Conditions"]
    del conditions["properties"]["task"], properties["schema_version"]
    conditions["properties"]["origin"] = {"type": "string", "description": "Name of the task."}
    conditions["required"] = sorted({*conditions["required"], "origin"} - {"task"})
    for name in ("SeedRun", "SampleTable"):
        parts.pop(name)
    task = {"type": "object", "required": ["name"], "description": "A task; of one of btlib's own the name alone."}
    properties |= {"schema": {"const": SCHEMA}, "digest": _DIGEST, "task": task, "samples": {"$ref": "#/$defs/Samples"}}
    found["required"] = sorted({*found["required"], "schema", "digest", "task"})
    return {"$schema": _DRAFT, **found}
