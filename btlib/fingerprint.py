"""Identity by content: the same ingredients give the same short hash on every machine."""

import ast
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
LENGTH = 16  # hex digits kept: 64 bits, ample for files a human compares by eye


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"cannot take the fingerprint of {type(value).__name__}")


def of(*parts: Any) -> str:
    """Fingerprint of JSON-like values and dataclasses, independent of the order of keys.

    >>> of({"a": 1, "b": 2}) == of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, default=_plain, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def nearest_differs(wanted: Mapping[str, Any], stored: Iterable[Mapping[str, Any]]) -> list[str]:
    """In what the one of `stored` that is most like `wanted` differs from it; nothing where nothing is stored.

    >>> nearest_differs({"seed": 7, "recipe": {"epochs": 2}}, [{"seed": 8}, {"seed": 7, "recipe": {"epochs": 3}}])
    ['recipe.epochs']
    """
    flat = _flat(wanted)
    differences = [[name for name, value in flat.items() if theirs.get(name) != value] for theirs in map(_flat, stored)]
    return min(differences, key=len, default=[])


def _flat(values: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{within}{name}.") if isinstance(value, Mapping) else {within + name: value}
    return found


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, all 64 hex digits."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def of_sources(paths: Iterable[Path]) -> str:
    """Fingerprint of what Python files *do*: comments, layout and docstrings do not count.

    So that an edited comment does not throw away hours of training.
    """
    return of([(path.name, _code(path.read_text(encoding="utf-8"))) for path in sorted(paths)])


def _code(source: str) -> Any:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.JoinedStr):  # Python 3.12 puts empty strings between the parts of some
            node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
    return _told(tree)


def _told(value: Any) -> Any:
    """A syntax tree as lists, without empty fields, which come and go between versions of Python."""
    if isinstance(value, ast.AST):
        fields = [[name, _told(found)] for name, found in ast.iter_fields(value) if found is not None and found != []]
        return [type(value).__name__, *fields]
    return [_told(item) for item in value] if isinstance(value, list) else repr(value)
