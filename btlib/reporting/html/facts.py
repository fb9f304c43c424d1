"""Provenance of the numbers: machine, recipe, data and models, as text to read and to copy."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from btlib.reporting.html.entries import Entry
from btlib.reporting.html.views import View
from btlib.results import Conditions
from btlib.runs import CaseRecord, ModelInfo

_SOURCES = {
    "trained": "trained in this run",
    "resumed": "trained, resumed from an interrupted run",
    "loaded": "loaded: trained in an earlier run with the same data, split, recipe, seed and code",
    "file": "loaded from a file that the user named",
    "given": "provided ready to use by the case",
}


@dataclass(frozen=True)
class Facts:
    """Title with pairs of name and value, also as JSON for the clipboard."""

    title: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """JSON text for the copy button."""
        return json.dumps(dict(self.pairs), indent=1, ensure_ascii=False)


def facts(view: View, entries: Sequence[Entry]) -> list[Facts]:
    """Return the facts of one run: run, data and split, recipe, environment."""
    records = [record for entry in entries for record in entry.records]
    info = view.info
    found = [
        _facts(
            "Run",
            {
                **({} if info.name is None else {"name": info.name}),
                "folder": view.store.path.name,
                "started": info.started,
                "command": info.command,
                "commit": None
                if info.commit is None
                else info.commit + (" + uncommitted changes" if info.dirty else ""),
                "baseline": info.baseline,
                "data": info.data,
            },
        )
    ]
    if records:
        found.append(_facts("Data and split", _conditions(records[0].conditions)))
    trained = any(info.recipe_of(record) for record in records)
    found += [_facts("Recipe", dict(info.recipe))] if trained else []
    return found + ([_facts("Environment", records[0].environment)] if records and records[0].environment else [])


def _conditions(conditions: Conditions) -> dict[str, Any]:
    """Return the conditions as a flat mapping with readable texts."""
    known = conditions.patients
    message = "unknown"
    if known is not None:
        source = "btlib's table" if known.source == "table" else "the files"
        message = (
            f"{known.n_test} in test, from {source}; {known.seen} test samples are of patients who are also in training"
        )
    task = conditions.task
    asked = {name: list(getattr(task, name)) for name in ("classes", "structures", "channels")}
    return {"task": task.name} | asked | conditions.model_dump(exclude={"task", "patients"}) | {"patients": message}


def odd_environments(entries: Sequence[Entry]) -> list[str]:
    """Return a line for each case whose environment differs from that of the first measurement."""
    records = [(entry.label, record) for entry in entries for record in entry.records]
    lines = []
    for label, record in records[1:]:
        ours, first = record.environment, records[0][1].environment
        keys = [k for k in sorted(ours.keys() | first.keys()) if ours.get(k) != first.get(k) and k != "threads"]
        if keys:
            message = ", ".join(f"{k} {ours.get(k, '–')} (first measurement: {first.get(k, '–')})" for k in keys)
            lines.append(f"{label}, seed {record.seed}: {message}")
    return lines


@dataclass(frozen=True)
class Origin:
    """Origin of one model: label of the case, seed, whether it was reused, origin in words, fingerprint, notes."""

    label: str
    seed: int
    reused: bool
    words: str
    fingerprint: str
    notes: tuple[str, ...]


def origins(entries: Sequence[Entry]) -> list[Origin]:
    """Return the origin of the model of every case and seed; a failed case is stated as such."""
    return [
        Origin(
            entry.label,
            record.seed,
            record.model is not None and record.model.source in ("loaded", "file"),
            _words(record, record.model) if record.model else "no model: the case failed",
            (record.model.fingerprint if record.model else None) or "",
            (*_code(record), *(record.model.notes if record.model else ())),
        )
        for entry in entries
        for record in entry.records
    ]


def _code(record: CaseRecord) -> list[str]:
    """Return a line with the source file of the case; empty for records of older versions."""
    if (code := record.code) is None:
        return []
    commit = "" if code.commit is None else f", commit {code.commit[:12]}"
    return [f"{code.file}, SHA-256 {code.digest[:12]}…{commit}{' + uncommitted changes' if code.dirty else ''}"]


def _words(record: CaseRecord, model: ModelInfo) -> str:
    training = model.details.get("training")
    when = training.get("created") if isinstance(training, dict) else None
    origin = _SOURCES[model.source] + (f" ({when})" if when and model.source == "loaded" else "")
    own = record.threshold != record.conditions.threshold
    return origin + (f"; mask threshold {record.threshold:g}, chosen on validation samples" if own else "")


def _facts(title: str, values: dict[str, Any]) -> Facts:
    return Facts(title, tuple((name.replace("_", " "), _text(value)) for name, value in values.items()))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)
