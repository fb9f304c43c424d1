"""Where numbers to compare come from, and what is held against what."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.errors import BaselineError, OptionError, RecordError, UnknownNameError
from btlib.gate.gate_options import GateOptions
from btlib.reporting.sources import Source, beside, hold, left_out, load_source, load_sources
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.runs.results import as_results
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., CaseRecord]


@pytest.fixture
def run(tmp_path: Path, record: Make, make_table: Table, info: RunInfo) -> Path:
    """Two cases, of which one was given ready-made."""
    folder = RunStore(tmp_path / "run")
    folder.save_info(info.model_copy(update={"recipe": {"epochs": 8}, "cases": ["X", "Y"], "seeds": [1]}))
    folder.save_record(record("X", make_table()))
    given = record("Y", make_table(wrong=6))
    assert given.model is not None
    folder.save_record(given.model_copy(update={"model": given.model.model_copy(update={"source": "given"})}))
    return folder.path


def test_a_run_has_its_cases_and_their_recipes(run: Path, tmp_path: Path):
    source = load_source(str(run), tmp_path)
    assert [result.case for result in source.results] == ["X", "Y"]
    assert source.recipes == {"X": {"epochs": 8}}
    assert source.baseline is not None
    assert {f.margin for f in source.baseline.cases["X"].figures if f.metric == "dice"} == {0.02}
    (result,) = load_source(str(run / "records" / "X-seed1.json"), tmp_path).results
    assert (result.case, result.seeds) == ("X", (1,))
    assert load_source(str(run / "records" / "X-seed1.json"), tmp_path).recipes == {}


def test_a_baseline_by_file_and_by_name(tmp_path: Path, make_table: Table, baseline_of: Callable[..., Baseline]):
    baseline = baseline_of(make_table(), "X", "Y").model_copy(update={"recipe": {"epochs": 3}})
    baseline.save(tmp_path / "mine.json")
    for text in ("mine", str(tmp_path / "mine.json")):
        source = load_source(text, tmp_path)
        assert (source.name, [result.case for result in source.results]) == (text, ["X", "Y"])
        assert source.recipes == {"X": {"epochs": 3}, "Y": {"epochs": 3}}
    with pytest.raises(UnknownNameError, match="did you mean 'mine'"):
        load_source("mime", tmp_path)


def test_titles_stand_in_place_of_names_in_their_order(run: Path, tmp_path: Path):
    record = str(run / "records" / "X-seed1.json")
    assert [s.name for s in load_sources([str(run), record], tmp_path)] == [str(run), record]
    titled = load_sources([str(run), record], tmp_path, ["first", "second"])
    assert [(s.name, len(s.results)) for s in titled] == [("first", 2), ("second", 1)]
    with pytest.raises(OptionError, match="expected 2, one for each source, got 1"):
        load_sources(["nowhere", "nowhere"], tmp_path, ["a"])


def test_a_run_with_a_failed_case_can_be_held_but_not_held_against(
    record: Make, make_table: Table, tmp_path: Path, info: RunInfo
):
    folder = RunStore(tmp_path / "run")
    folder.save_info(info.model_copy(update={"cases": ["X", "Y"], "seeds": [1]}))
    for one in (record("X", make_table()), record("Y", None, "out of luck")):
        folder.save_record(one)
    source = load_source(str(folder.path), tmp_path)
    assert source.baseline is None
    assert "case Y failed" in source.problem
    with pytest.raises(BaselineError, match="cannot be used as a baseline: case Y failed"):
        hold(source, source)


@pytest.fixture
def source(record: Make, make_table: Table) -> Callable[..., Source]:
    """Named cases with some wrong samples each; patients are unknown where `known` is not."""

    def make(known: bool = True, **wrong: int) -> Source:
        patients = None if known else [None] * 60
        results = as_results([record(c, make_table(wrong=n, patients=patients)) for c, n in wrong.items()])
        return Source("mine", tuple(results), None)

    return make


@pytest.fixture
def against(make_table: Table, baseline_of: Callable[..., Baseline]) -> Callable[..., Source]:
    def make(*cases: str, rendering: str = "i1", **table: object) -> Source:
        baseline = baseline_of(make_table(**table), *cases)
        conditions = baseline.conditions.model_copy(update={"input_fingerprint": rendering})
        return Source("b", (), baseline.model_copy(update={"conditions": conditions}))

    return make


def statuses(verdicts: list) -> list[tuple[str, str, str]]:  # type: ignore[type-arg]
    return [(v.case, v.metric, v.status) for v in verdicts]


def test_two_single_cases_are_held_whatever_their_names(source: Callable[..., Source], against: Callable[..., Source]):
    one, other = source(mine=12), against("theirs")
    assert statuses(hold(one, other)) == [("theirs", "dice", "pass"), ("theirs", "accuracy", "regressed")]
    assert (beside(one, other), left_out(one, other)) == ([], [])


def test_of_several_cases_names_decide(source: Callable[..., Source], against: Callable[..., Source]):
    """One of each name is judged; a case that the other lacks stands beside all; those that only it has are named."""
    some, known = source(X=0, new=12), against("X", "Z", "B")
    verdicts = hold(some, known)
    assert statuses(verdicts) == [
        *(("X", "dice", "pass"), ("X", "accuracy", "pass")),
        *(("new", "dice", "pass"), ("new", "accuracy", "regressed")),
    ]
    assert [v.reference is None for v in verdicts] == [True, True, False, False]
    assert [v.measured for v in verdicts[1::2]] == pytest.approx([1.0, 0.8])
    assert [(s.case, s.reference) for s in beside(some, known)] == [("new", r) for r in ("X", "Z", "B")] * 2
    assert left_out(some, known) == ["B", "Z"]
    assert left_out(source(X=0), known) == ["B", "Z"]
    assert left_out(some, against("X")) == []
    assert [s.case for s in beside(source(new=0), known)] == ["new"] * 6, "one against several is no pair"


def test_failed_cases_stand_beside_nothing(source: Callable[..., Source], against: Callable[..., Source]):
    some, known = source(X=0, new=0), against("X", "Z")
    failed = replace(some, results=(some.results[0], replace(some.results[1], failure="timeout", runs=())))
    assert beside(failed, known) == []
    assert statuses(hold(failed, known))[2:] == [("new", "dice", "timeout"), ("new", "accuracy", "timeout")]


def test_strictness_counts_for_known_and_new_cases(source: Callable[..., Source], against: Callable[..., Source]):
    some, known = source(X=0, new=0), against("X", "Z", rendering="other")
    assert {v.status for v in hold(some, known)} == {"pass"}
    assert {v.status for v in hold(some, known, options=GateOptions(strict=True))} == {"not-comparable"}
    assert {s.status for s in beside(some, known)} == {"pass"}
    assert {s.status for s in beside(some, known, options=GateOptions(strict=True))} == {"not-comparable"}


def test_independence_counts_for_known_and_new_cases(source: Callable[..., Source], against: Callable[..., Source]):
    some, known = source(known=False, X=0, new=0), against("X", "Z", patients=[None] * 60)
    assert {v.status for v in hold(some, known)} == {"not-comparable"}
    assert {v.status for v in hold(some, known, independent=True)} == {"pass"}
    assert {s.status for s in beside(some, known)} == {"not-comparable"}
    assert {s.status for s in beside(some, known, independent=True)} == {"pass"}


def test_published_numbers_are_not_held(against: Callable[..., Source]):
    with pytest.raises(RecordError, match="b: expected measured numbers, found none"):
        hold(against("X"), against("X"))
