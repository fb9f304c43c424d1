"""A verdict rests on the case's own records and the baseline alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from btlib import Baseline
from btlib.gate import judgement as module
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.judgement import Judgement, judge_run, judgement_of
from btlib.gate.verdict import Verdict
from btlib.results import Conditions
from btlib.runs import Cell, RunStore
from btlib.sample_table import SampleTable
from tests.gate.judgement.steps import SEEDS, Counted, Make, Table, inform, kept, statuses


def test_verdicts_depend_on_the_cases_own_records_and_the_baseline_alone(
    store: RunStore, baseline: Baseline, record: Make, make_table: Table
) -> None:
    """Whatever other cases there are: as good, far worse, new ones, failed ones, on other data, of other seeds."""
    info, records = store.info(), store.records()
    more = record("M", make_table(wrong=40, worse=0.3), 1), record("M", make_table(wrong=41), 2)
    other = [
        one.model_copy(update={"conditions": one.conditions.model_copy(update={"image_size": 64})}) for one in more
    ]
    failed = [record("F", None, seed) for seed in SEEDS]
    groups = [[r for r in records if r.case == "X"], [r for r in records if r.case == "Y"], list(more), other, failed]
    alone = [r for r in records if r.case == "N"]
    nothing = Judgement(baseline=baseline.identity, against=None, strict=False)
    expected = judgement_of(nothing, info, alone, baseline).cases["N"]
    assert expected.rankings
    assert all(s.p_holm is not None for s in expected.rankings)
    every = [one for group in groups if group is not other for one in group]
    for beside in (*groups, every):
        assert judgement_of(nothing, info, [*beside, *reversed(alone)], baseline).cases["N"] == expected


def test_a_record_that_is_added_or_removed_changes_no_other_case(
    store: RunStore, baseline: Baseline, record: Make, make_table: Table, judged: Counted
) -> None:
    before = judge_run(store, baseline)
    inform(store, cases=["X", "Y", "N", "Z"])
    for seed in SEEDS:
        store.save_record(record("Z", make_table(wrong=2), seed))
    added = judge_run(store, baseline)
    assert {case: added.cases[case] for case in "XYN"} == dict(before.cases)
    assert statuses(added)["Z"] == {"pass"}
    for seed in SEEDS:
        store.record_path(Cell("Z", seed)).unlink()
    assert judge_run(store, baseline).cases == before.cases
    store.record_path(Cell("Y", 1)).unlink()
    removed = judge_run(store, baseline)
    assert {case: removed.cases[case] for case in "XN"} == {case: before.cases[case] for case in "XN"}
    assert statuses(removed)["Y"] == {"error"}
    assert judged == {"X": 1, "Y": 2, "N": 1, "Z": 1}


def test_numbers_that_are_none_are_kept_as_none_and_stay_failures(
    store: RunStore, baseline: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON has no word for them. The gate calls what has no difference not comparable."""
    nan, inf = float("nan"), float("inf")
    told = Verdict(
        *("X", "dice", "not-comparable", "undefined"),
        **{"measured": nan, "baseline": 0.9, "margin": 0.02, "difference": nan, "low": -inf, "high": inf},
        **{"method": "paired by sample", "seeds": (0.5, nan), "baseline_seeds": (0.9, 0.9)},
    )
    monkeypatch.setattr(module, "judge_with", lambda result, *args, **more: (told,))
    real = module.rankings
    monkeypatch.setattr(
        module, "rankings", lambda *args, **more: [replace(s, difference=nan, low=-inf) for s in real(*args, **more)]
    )
    made = judge_run(store, baseline)
    text = (store.path / "judgement.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert kept(store) == made
    (found,) = made.cases["X"].verdicts
    assert found == replace(told, measured=None, difference=None, low=None, high=None, seeds=())
    assert found.failed
    assert all((s.difference, s.low) == (None, None) for s in made.cases["N"].rankings)
    assert all(s.high is not None for s in made.cases["N"].rankings)


def test_a_sample_without_a_value_is_no_pass(
    store: RunStore, record: Make, make_table: Table, conditions: Conditions, changed: Callable[..., SampleTable]
) -> None:
    """A published mean of what is undefined for some samples: real numbers that are none, from table to file."""
    table = make_table()
    empty = {f"tumour__{name}": [0, *table.columns[f"tumour/{name}"][1:]] for name in ("truth_area", "intersection")}
    figure = ReferenceValue(metric="sensitivity", value=0.9, aggregation="slice-mean", margin=0.9, source="paper")
    known = Baseline(
        **{"name": "paper", "kind": "published", "title": "a paper", "source": "paper", "created": "2025"},
        **{"reason": "test", "conditions": conditions},
        cases={"X": BaselineCase(title="a case", figures=[figure])},
    )
    for seed in SEEDS:
        store.save_record(record("X", changed(table, **empty), seed, metrics={"sensitivity": 1}))
    found = judge_run(store, known).cases["X"]
    assert kept(store).cases["X"] == found
    (verdict,) = found.verdicts
    assert verdict.failed
    assert (verdict.difference, verdict.low, verdict.high) == (None, None, None)
