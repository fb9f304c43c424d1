"""What has no record, or a damaged one, is no pass."""

import pytest

from btlib import Baseline
from btlib.api.closing import close
from btlib.errors import BaselineError, RecordError
from btlib.gate.judgement import judge_case, judge_run
from btlib.gate.loading import NotComparedError
from btlib.gate.verdict import HOLDS
from btlib.reporting.html.views import view
from btlib.runs import Cell, RunStore
from tests.gate.judgement.steps import METRICS, SEEDS, Make, Table, change, inform, kept, statuses


@pytest.mark.parametrize("whole_first", [False, True])
def test_a_case_of_which_a_seed_has_no_record_fails(
    whole_first: bool, store: RunStore, baseline: Baseline, record: Make, make_table: Table
) -> None:
    """However good the others are, whoever judges, and whatever was judged before it was lost."""
    if whole_first:
        assert statuses(judge_run(store, baseline))["X"] == {"pass"}
    lost = store.record(Cell("X", 2))
    assert lost is not None
    store.record_path(lost.cell).unlink()
    for found in (judge_case(store, "X", baseline, METRICS), judge_run(store, baseline).cases["X"]):
        assert [(v.metric, v.status) for v in found.verdicts] == [(metric, "error") for metric in METRICS]
        assert {v.reason for v in found.verdicts} == {
            "no record of X, seed 2: the run was interrupted or is still running"
        }
        assert all(v.failed for v in found.verdicts)
    assert statuses(judge_run(store, NotComparedError("asked for")))["X"] == {"error"}
    assert statuses(judge_run(store, BaselineError("no such file")))["X"] == {"error"}
    store.save_record(lost)
    assert statuses(judge_run(store, baseline))["X"] == {"pass"}


def test_a_new_case_of_which_a_seed_has_no_record_fails_and_stands_nowhere(store: RunStore, baseline: Baseline) -> None:
    store.record_path(Cell("N", 1)).unlink()
    found = judge_case(store, "N", baseline)
    assert [(v.metric, v.status) for v in found.verdicts] == [(metric, "error") for metric in METRICS]
    assert found.rankings == []


def test_a_case_of_which_a_fold_has_no_record_fails(
    store: RunStore, baseline: Baseline, record: Make, make_table: Table
) -> None:
    inform(store, folds=["a", "b"], cases=["X"], seeds=[1])
    for path in store.record_paths():
        path.unlink()
    store.save_record(record("X", make_table(wrong=2), 1, fold="a"))
    (reason,) = {v.reason for v in judge_run(store, baseline).verdicts}
    assert reason == "no record of X, b, seed 1: the run was interrupted or is still running"
    assert statuses(judge_run(store, baseline)) == {"X": {"error"}}


def test_a_failed_seed_is_told_before_a_missing_one(store: RunStore, baseline: Baseline) -> None:
    inform(store, seeds=[1, 2, 3])
    change(store, "X", 2, outcome="timeout", error="too slow", samples=None, summary=None)
    assert {(v.status, v.reason) for v in judge_case(store, "X", baseline).verdicts} == {
        ("timeout", "seed 2: too slow")
    }


@pytest.mark.parametrize("damage", [b"{", b"", None], ids=["cut short", "empty", "gone"])
def test_a_damaged_record_is_no_pass_on_the_page_either(
    damage: bytes | None, store: RunStore, baseline: Baseline
) -> None:
    """The page is made of what can be read; the file of the judgement stays as it was, and is right again later."""
    whole = judge_run(store, baseline)
    path = store.record_path(Cell("X", 2))
    content = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
        with pytest.raises(RecordError, match="X-seed2"):
            judge_run(store, baseline)
        with pytest.raises(RecordError, match="X-seed2"):
            judge_case(store, "X", baseline)
    shown = view(store.path)
    rows = {row.case: row for row in shown.comparison.rows}
    assert (rows["X"].status, {v.status for v in rows["X"].verdicts}) == ("error", {"error"})
    assert not {v.status for v in shown.judgement.cases["X"].verdicts} & set(HOLDS)
    assert "no record of X, seed 2" in rows["X"].verdicts[0].reason
    assert shown.unread
    assert {case: shown.judgement.cases[case] for case in "YN"} == {case: whole.cases[case] for case in "YN"}
    assert kept(store) == whole
    path.write_bytes(content)
    assert view(store.path).judgement == judge_run(store, baseline) == whole


def test_a_case_without_any_record_has_no_verdict(store: RunStore, baseline: Baseline) -> None:
    """And none is kept of one whose records are gone: it is missing, which reports say."""
    judge_run(store, baseline)
    for seed in SEEDS:
        store.record_path(Cell("Y", seed)).unlink()
    assert list(judge_run(store, baseline).cases) == list(kept(store).cases) == ["N", "X"]
    assert view(store.path).comparison.missing == ("Y",)
    assert close(store.path).missing == ("Y",)
