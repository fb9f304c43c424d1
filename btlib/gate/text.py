"""Text of a baseline file, formatted for readable diffs."""

import json
from typing import Any


def compact(value: Any) -> str:
    """Return JSON with sorted keys and each list of plain values on one line, so that diffs are readable."""
    return _node(value, 0) + "\n"


def _node(value: Any, depth: int) -> str:
    inner, outer = " " * (depth + 1), " " * depth
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(k)}: {_node(value[k], depth + 1)}" for k in sorted(value)]
        return "{\n" + ",\n".join(rows) + f"\n{outer}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + _node(item, depth + 1) for item in value) + f"\n{outer}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
