"""Fingerprints of content: the same content gives the same short hash on every machine."""

import ast
import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
LENGTH = 16  # hex digits: 64 bits, enough for comparisons by eye


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


def no_model_fits(wanted: Mapping[str, Any], manifests: Iterable[Mapping[str, Any] | None]) -> str:
    """Describe the differences between `wanted` and the most similar stored model; "" if no model is stored.

    Args:
        wanted: Ingredients of the required model.
        manifests: Manifests of the stored models; None for an unreadable one, which is ignored.

    >>> stored = [{"ingredients": {"seed": 8}}, {"ingredients": {"seed": 7, "recipe": {"epochs": 3}}}, None]
    >>> no_model_fits({"seed": 7, "recipe": {"epochs": 2}}, stored)
    'no stored model matches; the most similar one differs in recipe.epochs'
    """
    flat = _flat(wanted)
    stored = [_flat(found) for one in manifests if one and isinstance(found := one.get("ingredients"), Mapping)]
    differences = [[name for name, value in flat.items() if theirs.get(name) != value] for theirs in stored]
    nearest = min(differences, key=len, default=[])
    return f"no stored model matches; the most similar one differs in {', '.join(nearest)}" if nearest else ""


def _flat(values: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{within}{name}.") if isinstance(value, Mapping) else {within + name: value}
    return found


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def of_sources(paths: Iterable[Path]) -> str:
    """Fingerprint of the code of Python files, without comments, layout and docstrings.

    An edited comment therefore does not invalidate a trained model.
    """
    return of([(path.name, _code(path.read_text(encoding="utf-8"))) for path in sorted(paths)])


@functools.lru_cache(maxsize=16)  # a case with several seeds is parsed once
def _code(source: str) -> Any:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.JoinedStr):  # Python 3.12 adds empty strings between the parts of some
            node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
    return _canonical(tree)


def _canonical(value: Any) -> Any:
    """Convert a syntax tree to lists, without empty fields, which differ between versions of Python."""
    if isinstance(value, ast.AST):
        fields = [
            [name, _canonical(found)] for name, found in ast.iter_fields(value) if found is not None and found != []
        ]
        return [type(value).__name__, *fields]
    return [_canonical(item) for item in value] if isinstance(value, list) else repr(value)
