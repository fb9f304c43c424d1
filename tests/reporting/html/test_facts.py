"""Where the numbers come from: facts of the run, other environments, and the origin of each model."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btlib.reporting.html.entries import Entry
from btlib.reporting.html.facts import facts, odd_environments, origins
from btlib.reporting.html.views import View
from btlib.results import PatientFacts
from btlib.runs import ModelInfo
from btlib.runs.provenance import CaseCode
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Entry]


@pytest.fixture
def with_records(entry: Make, make_table: Table) -> Callable[..., Entry]:
    """A case of which each record has changes of its own."""

    def make(case: str, *changes: dict[str, Any]) -> Entry:
        made = entry(case, *(make_table(6) for _ in changes), seeds=tuple(range(9, 9 + len(changes))))
        records = zip(made.records, changes, strict=True)
        return replace(made, records=tuple(record.model_copy(update=change) for record, change in records))

    return make


def model(source: str, fingerprint: str | None = "f1", notes: tuple[str, ...] = (), **details: Any) -> dict[str, Any]:
    known = {"source": source, "fingerprint": fingerprint, "seconds": 1.0}
    return {"model": ModelInfo(**known, details=details, notes=list(notes))}


def test_the_facts_of_a_run(with_records: Callable[..., Entry], empty_view: View):
    changes = {"commit": "abc", "dirty": True, "recipe": {"epochs": 8, "name": "modern"}, "data": "60 phantoms"}
    view = replace(empty_view, info=empty_view.info.model_copy(update=changes))
    small = with_records("A", {}).records[0].conditions.model_copy(update={"image_size": 64})
    first, last = {"torch": "2.11", "cpu_count": "4"}, {"torch": "other"}
    one = with_records("A", {"environment": first}, {"environment": last, "conditions": small})
    run, data, recipe, environment = facts(view, [one])
    assert [f.title for f in (run, data, recipe, environment)] == ["Run", "Data and split", "Recipe", "Environment"]
    assert run.pairs == (
        *(("folder", "run"), ("started", "now"), ("command", "pytest x"), ("commit", "abc + uncommitted changes")),
        *(("baseline", "b.json"), ("data", "60 phantoms")),
    )
    assert json.loads(run.text) == dict(run.pairs)
    known = dict(data.pairs)
    assert data.pairs[:4] == (
        *(("task", "phantom"), ("classes", "meningioma, glioma, pituitary"), ("structures", "tumour")),
        ("channels", "T1 contrast-enhanced"),
    )
    assert (known["split name"], known["n test"], known["test class counts"]) == ("slice-seed42", "60", "20, 20, 20")
    assert (known["patients"], known["image size"]) == ("unknown", "32")
    assert recipe.pairs == (("epochs", "8"), ("name", "modern"))
    assert environment.pairs == (("torch", "2.11"), ("cpu count", "4"))


def test_what_is_not_known_is_left_out(with_records: Callable[..., Entry], empty_view: View):
    given = with_records("A", model("given"))
    info = empty_view.info.model_copy(update={"recipe": {"epochs": 8}, "commit": "abc", "dirty": False})
    found = facts(replace(empty_view, info=info), [given])
    assert [f.title for f in found] == ["Run", "Data and split"], "no case was trained"
    assert dict(found[0].pairs)["commit"] == "abc"
    (run,) = facts(empty_view, [])
    assert dict(run.pairs)["commit"] == "–"


@pytest.mark.parametrize(("source", "words"), [("table", "btlib's table"), ("files", "the files")])
def test_the_patients_in_words(with_records: Callable[..., Entry], empty_view: View, source: Any, words: str):
    one = with_records("A", {})
    patients = PatientFacts(source=source, n_test=41, seen=7)
    under = one.records[0].conditions.model_copy(update={"patients": patients})
    _, data = facts(empty_view, [with_records("A", {"conditions": under})])
    told = f"41 in test, from {words}; 7 test samples are of patients who are also in training"
    assert [value for name, value in data.pairs if name == "patients"] == [told]


def test_other_environments_than_the_first(with_records: Callable[..., Entry]):
    first = {"cpu": "x", "torch": "2", "threads": "4"}
    one = with_records("A", {"environment": first}, {"environment": first | {"threads": "8"}})
    other = with_records("B", {"environment": {"cpu": "y", "torch": "2", "gpu": "g"}}, {"environment": first})
    assert odd_environments([one, other]) == ["B, seed 9: cpu y (first measurement: x), gpu g (first measurement: –)"]
    assert odd_environments([other, one]) == [
        *(
            "B, seed 10: cpu x (first measurement: y), gpu – (first measurement: g)",
            "A, seed 9: cpu x (first measurement: y), gpu – (first measurement: g)",
        ),
        "A, seed 10: cpu x (first measurement: y), gpu – (first measurement: g)",
    ]
    assert odd_environments([]) == []


SOURCES = {
    "trained": (False, "trained in this run"),
    "resumed": (False, "trained, resumed from an interrupted run"),
    "loaded": (True, "loaded: trained in an earlier run with the same data, split, recipe, seed and code"),
    "file": (True, "loaded from a file that the user named"),
    "given": (False, "provided ready to use by the case"),
}


@pytest.mark.parametrize("source", SOURCES)
def test_where_a_model_came_from(with_records: Callable[..., Entry], source: str):
    (one,) = origins([with_records("A", model(source, notes=("a note",)))])
    assert (one.label, one.seed, one.fingerprint, one.notes) == ("A", 9, "f1", ("a note",))
    assert (one.reused, one.words) == SOURCES[source]


def test_when_it_was_trained_and_its_own_threshold(with_records: Callable[..., Entry]):
    training = {"training": {"created": "yesterday"}}
    loaded, trained, own, same = origins(
        [
            with_records(
                "A",
                *(model("loaded", **training), model("trained", None, **training)),
                *(model("given", threshold=0.35), model("given", threshold=0.65)),
            )
        ]
    )
    assert loaded.words == f"{SOURCES['loaded'][1]} (yesterday)"
    assert (trained.words, trained.fingerprint) == (SOURCES["trained"][1], "")
    assert own.words == "provided ready to use by the case; mask threshold 0.35, chosen on validation samples"
    assert same.words == "provided ready to use by the case"
    assert [one.seed for one in (loaded, trained, own, same)] == [9, 10, 11, 12]


def test_a_case_without_a_model(with_records: Callable[..., Entry]):
    code = CaseCode(file="mine.py", digest="d" * 64, commit="c" * 40, dirty=True)
    (one,) = origins([with_records("A", {"model": None, "code": code})])
    assert (one.reused, one.words, one.fingerprint) == (False, "no model: the case failed", "")
    assert one.notes == (f"mine.py, SHA-256 {'d' * 12}…, commit {'c' * 12} + uncommitted changes",)
    clean = code.model_copy(update={"commit": None, "dirty": False})
    (one,) = origins([with_records("A", model("given", notes=("n",)) | {"code": clean})])
    assert one.notes == (f"mine.py, SHA-256 {'d' * 12}…", "n")
