"""Files of before: records and baselines of version 1 are read, and brought up to date where their slices are there."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import Baseline, fingerprint, judge, load_dataset, read_slice
from btlib.cases import Case, Work
from btlib.data import list_slices, write_slice
from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import FIGSHARE
from btlib.errors import BaselineError, DataError, RecordError
from btlib.gate.acceptance import accept, propose
from btlib.gate.migrate import migrate
from btlib.older import FIGSHARE_V1
from btlib.protocol import Protocol, Recipe
from btlib.reporting.sources import hold, load_source
from btlib.results import CaseResult
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.runs.cell import Cell
from btlib.runs.execute import patient_facts, run_case
from btlib.runs.held_out import HeldOut
from btlib.runs.results import as_results
from btlib.splits import make_split


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty slices of ten patients in files, as 0.1 read them."""
    rng = np.random.default_rng(0)
    home = tmp_path_factory.mktemp("slices")
    for number in range(1, 41):
        mask = np.zeros((32, 24), bool)
        top, left = rng.integers(0, 16, 2)
        mask[top : top + 9, left : left + 7] = True
        image = (rng.random((32, 24)) * 50 + mask * 100).astype(np.int16)
        write_slice(home / f"{number}.mat", image, mask, number % 3, patient=f"P{number % 10}")
    return home


def old_fingerprint(folder: Path, *, codes: bool) -> str:
    """What 0.1 took of a folder, written again from its description: SHA-256 of metadata, image and packed mask."""
    digests = []
    for path in list_slices(folder):
        s = read_slice(path)
        patient = s.patient if codes else None
        head = fingerprint.of(s.number, s.label, patient, s.origin, str(s.image.dtype), list(s.image.shape))
        digests.append(sha256(head.encode() + s.image.tobytes() + np.packbits(s.mask).tobytes()).hexdigest())
    return fingerprint.of(digests)


@pytest.fixture(scope="module")
def measured_once(slices: Path, tmp_path_factory: pytest.TempPathFactory, make_case: Callable[..., Case]) -> Path:
    dataset = load_dataset(slices, 32)
    split = make_split("slice-seed42", dataset)
    run = RunStore(tmp_path_factory.mktemp("measured") / "run")
    work = Work.on(dataset, split, Protocol(image_size=32), Recipe(), 7, run.path.parent / "checkpoints")
    about = {"task": FIGSHARE, "data": "d", "recipe": {"epochs": 1}, "cases": ["X"], "seeds": [7]}
    run.save_info(RunInfo(tier="full", command="pytest", baseline="b", started="now", **about))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("btlib.runs.execute.code_of", lambda case: None)
        run_case(make_case("X", knows=dataset), work, "full", run, HeldOut(dataset, dataset, split))
    return run.path


@pytest.fixture
def measured(measured_once: Path, tmp_path: Path) -> RunStore:
    """A run on these slices."""
    return RunStore(shutil.copytree(measured_once, tmp_path / "run"))


def as_in_version_1(table: dict[str, Any], *, patients: bool) -> dict[str, Any]:
    """A table as 0.1 wrote it: numbers of slices, and measures of the tumour without its name."""
    columns, n = table["columns"], len(table["id"])
    return {
        "number": [int(name) for name in table["id"]],
        "label": table["label"],
        "patient": table["patient"] if patients else [None] * n,
        **{name.split("/")[1]: values for name, values in columns.items() if name.startswith("tumour/")},
        "class_prob": [[columns[f"probability/{name}"][i] for name in FIGSHARE.classes] for i in range(n)],
    }


def conditions_of_version_1(conditions: dict[str, Any], dataset_fingerprint: str) -> dict[str, Any]:
    later = ("task", "truth_fingerprint", "input_fingerprint", "patients", "independent")
    rest = {name: field for name, field in conditions.items() if name not in later}
    return {"origin": "figshare", **rest, "dataset_fingerprint": dataset_fingerprint}


@pytest.fixture
def old_file(measured: RunStore, slices: Path, tmp_path: Path) -> Callable[..., Path]:
    """The baseline that 0.1 would have made of the run, without patients in it."""

    def make(known: str | None = None, **conditions: Any) -> Path:
        value = propose(measured.path, "old", "because").new.model_dump(mode="json", exclude_defaults=True)
        fields = conditions_of_version_1(value["conditions"], known or old_fingerprint(slices, codes=False))
        for run in value["cases"]["X"]["runs"]:
            run["slices"] = as_in_version_1(run.pop("samples"), patients=False)
        value |= {"conditions": fields | conditions, "schema": "btlib-baseline/1"}
        path = tmp_path / "old.json"
        path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
        return path

    return make


@pytest.mark.parametrize("codes", [True, False])
def test_no_number_changes_and_patients_are_added(
    codes: bool, old_file: Callable[..., Path], slices: Path, measured: RunStore
):
    path = old_file(old_fingerprint(slices, codes=codes))
    old, new = Baseline.load(path), migrate(path, slices)
    dataset = load_dataset(slices, 32)
    assert (new.schema_version, new.conditions.truth_fingerprint) == (2, dataset.truth_fingerprint)
    assert new.conditions.input_fingerprint == dataset.input_fingerprint
    assert new.conditions.patients is not None
    assert (new.conditions.patients.n_test, new.conditions.patients.seen) == (
        len({dataset.patients[i] for i in make_split("slice-seed42", dataset).test}),
        8,
    )
    before, after = old.cases["X"], new.cases["X"]
    assert after.figures == before.figures
    assert after.runs[0].samples.patient == [f"P{int(name) % 10}" for name in after.runs[0].samples.id]
    ours, theirs = (case.runs[0].samples.model_dump(exclude={"patient"}) for case in (after, before))
    assert ours == theirs
    new.save(path)
    again = Baseline.load(path)
    assert again == new == migrate(path, None), "what is up to date stays as it is"
    result = as_results(measured.records())[0]
    assert {v.status for v in judge(result, again)} == {"pass"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"known": "of other slices"},
            "was measured on samples with the fingerprint of other slices, but the folder has",
        ),
        ({"split_name": "block-seed42"}, "uses the split block-seed42, which no longer exists"),
        ({"split_fingerprint": "other"}, "its split slice-seed42 is other, but today's is"),
        ({"split_name": "patient-5fold-1"}, "its split patient-5fold-1 is"),
    ],
)
def test_other_slices_or_splits_are_refused(
    change: dict[str, Any], problem: str, old_file: Callable[..., Path], slices: Path
):
    with pytest.raises(BaselineError, match=problem):
        migrate(old_file(**change), slices)


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The same file after a change, with the digest that belongs to it."""
    value = json.loads(path.read_text())
    del value["digest"]
    change(value)
    path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    return path


def first_run(value: dict[str, Any]) -> Any:
    return value["cases"]["X"]["runs"][0]


def another_area(value: dict[str, Any]) -> None:
    for name in ("truth_area", "pred_area", "intersection"):
        first_run(value)["slices"][name][3] += 1  # so that its Dice stays what the figure says


def another_label(value: dict[str, Any]) -> None:
    table = first_run(value)["slices"]
    table["label"][3] = (table["label"][3] + 1) % 3
    table["class_prob"][3] = np.roll(table["class_prob"][3], 1).tolist()


@pytest.mark.parametrize("change", [another_area, another_label])
def test_a_changed_truth_is_refused(
    change: Callable[[dict[str, Any]], None], old_file: Callable[..., Path], slices: Path
):
    path = edited(old_file(), change)
    number = first_run(json.loads(path.read_text()))["slices"]["number"][3]
    with pytest.raises(BaselineError, match=f"sample {number}: the baseline has label "):
        migrate(path, slices)


def test_slices_that_are_not_the_test_slices_are_refused(old_file: Callable[..., Path], slices: Path):
    """As many, but one of another part."""

    def another_slice(value: dict[str, Any]) -> None:
        numbers = first_run(value)["slices"]["number"]
        numbers[0] = min(set(range(1, 41)) - set(numbers))

    with pytest.raises(BaselineError, match="case X: its samples are not the test samples of its split"):
        migrate(edited(old_file(), another_slice), slices)


def test_every_run_of_every_case_gets_its_patients_in_its_own_order(old_file: Callable[..., Path], slices: Path):
    def more(value: dict[str, Any]) -> None:
        turned = json.loads(json.dumps(first_run(value))) | {"seed": 8}
        turned["slices"] = {name: column and column[::-1] for name, column in turned["slices"].items()}
        value["cases"]["X"]["runs"].append(turned)
        value["cases"]["Y"] = {**value["cases"]["X"], "title": "another"}

    new = migrate(edited(old_file(), more), slices)
    assert new.cases.keys() == {"X", "Y"}
    for case in new.cases.values():
        assert [run.seed for run in case.runs] == [7, 8]
        assert case.runs[0].samples.id == case.runs[1].samples.id[::-1]
        for run in case.runs:
            assert run.samples.patient == [f"P{int(name) % 10}" for name in run.samples.id]


def test_slices_of_unknown_patients_are_refused(
    old_file: Callable[..., Path], slices: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("btlib.gate.migrate.patient_facts", lambda dataset, split: None)
    with pytest.raises(BaselineError, match="the patients of these samples are unknown") as caught:
        migrate(old_file(), slices)
    assert caught.value.where == str(slices)


def test_slices_are_read_at_the_size_and_scaling_of_the_baseline(
    old_file: Callable[..., Path], slices: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def loading(folder: Path, *how: object, **more: object) -> None:
        asked.append((folder, *how, more))
        raise BaselineError("enough")

    monkeypatch.setattr("btlib.gate.migrate.load_dataset", loading)
    with pytest.raises(BaselineError, match="enough"):
        migrate(old_file(image_size=16, scaling="percentile"), slices, progress=True)
    assert asked == [(slices, 16, "percentile", {"progress": True})]


def test_a_faulty_slice_is_named(old_file: Callable[..., Path], slices: Path, tmp_path: Path):
    home = shutil.copytree(slices, tmp_path / "faulty")
    (home / "40.mat").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"40\.mat: expected a MATLAB v7\.3"):
        migrate(old_file(), home)


@pytest.mark.parametrize("named", [True, False])
def test_a_published_one_learns_whose_slices_it_is_of(
    named: bool, old_file: Callable[..., Path], slices: Path, tmp_path: Path
):
    """Where its split is known, and a folder is named."""

    def publish(value: dict[str, Any]) -> None:
        value["kind"] = "published"
        value["cases"]["X"]["runs"] = []

    path = edited(old_file(), publish)
    new = migrate(path, slices if named else None)
    facts = patient_facts(load_dataset(slices, 32), make_split("slice-seed42", load_dataset(slices, 32)))
    assert (new.schema_version, new.conditions.patients) == (2, facts if named else None)
    assert new.cases == Baseline.load(path).cases
    unknown = edited(path, lambda value: value["conditions"].update(split_fingerprint=None))
    assert migrate(unknown, slices).conditions.patients is None


def test_a_measured_one_needs_its_slices_and_a_published_one_none(old_file: Callable[..., Path]):
    with pytest.raises(BaselineError, match=r"does not identify its data(?s:.)*--data"):
        migrate(old_file(), None)
    published = Baseline.load(Path(__file__).parents[2] / "baselines" / "thesis.json")
    assert published.schema_version == 2


def test_a_record_of_version_1_is_read(measured: RunStore):
    """Its patients are those of the table where it was measured on the known copy."""
    path = measured.record_path(Cell("X", 7))
    value = json.loads(path.read_text())
    value["schema"] = "btlib-record/1"
    value["slices"] = as_in_version_1(value.pop("samples"), patients=False)
    conditions = value["conditions"]
    del value["digest"], value["sealed"]
    for known in ("another", FIGSHARE_V1):
        value["conditions"] = conditions_of_version_1(conditions, known)
        path.write_text(json.dumps(value))
        record = CaseRecord.load(path)
        assert record.conditions.truth_fingerprint is None
        assert record.samples is not None
        persons = figshare_patients().persons
        expected = [str(persons[int(name) - 1]) if known == FIGSHARE_V1 else None for name in record.samples.id]
        assert record.samples.patient == expected
        result: CaseResult = as_results([record])[0]
        assert bool(result.caveat) == (known != FIGSHARE_V1)
        for name in (measured.path, path):  # what is made of it knows as little of its data
            source = load_source(str(name), measured.path)
            assert source.baseline is not None
            assert source.baseline.schema_version == 1
        proposal = propose(measured.path, "mine", "because")
        assert any("do not identify their data: measure the cases again" in refusal for refusal in proposal.refusals)
        with pytest.raises(BaselineError, match="measure the cases again"):
            accept(proposal, measured.path / "mine.json")
        again = {v.status for v in hold(load_source(str(path), measured.path), load_source(str(path), measured.path))}
        assert again == ({"pass"} if known == FIGSHARE_V1 else {"not-comparable"})


def test_a_record_that_contradicts_its_conditions_is_refused_by_name(measured: RunStore):
    path = measured.record_path(Cell("X", 7))
    value = json.loads(path.read_text())
    value["conditions"]["n_test"] += 1
    del value["digest"], value["sealed"]
    path.write_text(json.dumps(value))
    assert "case X has 8 samples, expected 9" in load_source(str(measured.path), measured.path).problem
    with pytest.raises(RecordError, match="case X has 8 samples, expected 9"):
        propose(measured.path, "mine", "because")


def test_another_rendering_is_not_added_to_a_baseline(measured: RunStore):
    """What is stored beside the numbers would be of other images; replacing all of it is shown."""
    old = propose(measured.path, "mine", "first").new
    path = measured.record_path(Cell("X", 7))
    record = CaseRecord.load(path)
    other = record.conditions.model_copy(update={"input_fingerprint": "another"})
    measured.save_record(record.model_copy(update={"conditions": other}))
    added = propose(measured.path, "mine", "why", old=old, add=True)
    assert any("were measured on other images" in refusal for refusal in added.refusals)
    whole = propose(measured.path, "mine", "why", old=old)
    assert not whole.refusals
    assert any(change.startswith("images: ") for change in whole.changes)


def test_a_file_without_its_old_fingerprint_is_refused_by_name(old_file: Callable[..., Path], slices: Path):
    path = old_file()
    value = json.loads(path.read_text())
    del value["digest"], value["conditions"]["dataset_fingerprint"]
    path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    with pytest.raises(BaselineError, match=r"conditions\.dataset_fingerprint: expected text"):
        migrate(path, slices)


def test_the_first_accepted_numbers_stay(measured: RunStore):
    first = propose(measured.path, "mine", "first").new
    assert first.cases["X"].first is None
    second = propose(measured.path, "mine", "second", old=first).new
    third = propose(measured.path, "mine", "third", old=second).new
    for later in (second, third):
        kept = later.cases["X"].first
        assert kept is not None
        assert kept.made is not None
        assert (kept.made.reason, kept.runs, kept.figures) == (
            "first",
            first.cases["X"].runs,
            first.cases["X"].figures,
        )
