"""Where the numbers come from: machine, recipe, data, models. Said plainly, and ready to be copied."""

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
    "resumed": "trained on from an interrupted run",
    "loaded": "loaded: trained in an earlier run, with the same data, split, recipe, seed and code",
    "file": "loaded from a file that the user named",
    "given": "given ready-made by the case",
}


@dataclass(frozen=True)
class Facts:
    """Pairs of name and value under a title, and the same as JSON for the clipboard."""

    title: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """What the copy button takes."""
        return json.dumps(dict(self.pairs), indent=1, ensure_ascii=False)


def facts(view: View, entries: Sequence[Entry]) -> list[Facts]:
    """Run, fingerprints, recipe and environment of one run."""
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
    """Flat, and in words where a reader would stumble."""
    known = conditions.patients
    message = "unknown"
    if known is not None:
        source = "btlib's table" if known.source == "table" else "the files"
        message = f"{known.n_test} in test, from {source}; {known.seen} test samples are of patients in training"
    task = conditions.task
    asked = {name: list(getattr(task, name)) for name in ("classes", "structures", "channels")}
    return {"task": task.name} | asked | conditions.model_dump(exclude={"task", "patients"}) | {"patients": message}


def odd_environments(entries: Sequence[Entry]) -> list[str]:
    """Cases that were measured in another environment than the first one, and in what they differ."""
    records = [(entry.label, record) for entry in entries for record in entry.records]
    said = []
    for label, record in records[1:]:
        ours, first = record.environment, records[0][1].environment
        keys = [k for k in sorted(ours.keys() | first.keys()) if ours.get(k) != first.get(k) and k != "threads"]
        if keys:
            message = ", ".join(f"{k} {ours.get(k, '–')} (else {first.get(k, '–')})" for k in keys)
            said.append(f"{label}, seed {record.seed}: {message}")
    return said


@dataclass(frozen=True)
class Origin:
    """Where one model came from: label of the case, seed, in words, its fingerprint, and when it was trained."""

    label: str
    seed: int
    reused: bool
    words: str
    fingerprint: str
    notes: tuple[str, ...]


def origins(entries: Sequence[Entry]) -> list[Origin]:
    """The model of every case and seed; a case without one says so."""
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
    """The file that the case came from, in a line; none in records of before."""
    if (code := record.code) is None:
        return []
    commit = "" if code.commit is None else f", commit {code.commit[:12]}"
    return [f"{code.file}, SHA-256 {code.digest[:12]}…{commit}{' + uncommitted changes' if code.dirty else ''}"]


def _words(record: CaseRecord, model: ModelInfo) -> str:
    training = model.details.get("training")
    when = training.get("created") if isinstance(training, dict) else None
    said = _SOURCES[model.source] + (f" ({when})" if when and model.source == "loaded" else "")
    own = record.threshold != record.conditions.threshold
    return said + (f"; masks at its own threshold {record.threshold:g}, chosen on validation samples" if own else "")


def _facts(title: str, values: dict[str, Any]) -> Facts:
    return Facts(title, tuple((name.replace("_", " "), _text(value)) for name, value in values.items()))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)
