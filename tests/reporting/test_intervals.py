"""Means with their intervals: which draws, and which cases have none."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from btlib import stats
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Verdict
from btlib.gate.measured import mean_value, with_value
from btlib.reporting import intervals
from btlib.reporting.intervals import Mean, mean_intervals
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import SampleTable

from .tables import with_measures

Table = Callable[..., SampleTable]


@pytest.fixture
def result(conditions: Conditions) -> Callable[..., CaseResult]:
    def make(*tables: SampleTable, case: str = "X") -> CaseResult:
        runs = tuple(SeedRun(seed=k, fingerprint=None, samples=table) for k, table in enumerate(tables))
        return CaseResult(case, case, conditions, {"dice": 1, "accuracy": 1}, runs, failure=None if runs else "timeout")

    return make


def test_patients_are_drawn_whole_and_seeds_averaged(result: Callable[..., CaseResult], make_table: Table):
    patients = [f"P{i // 4}" for i in range(24)]
    one, two = (make_table(24, seed=seed, wrong=wrong, patients=patients) for seed, wrong in ((1, 5), (2, 9)))
    found = mean_intervals([result(one, two)], ["dice", "accuracy"])
    for metric, values in (
        ("dice", (per_sample(one, "dice") + per_sample(two, "dice")) / 2),
        ("accuracy", (one.correct() * 1.0 + two.correct()) / 2),
    ):
        wanted = stats.paired_many(values[None], patients).rows()[0]
        assert found["X", metric] == Mean(pytest.approx(values.mean()), wanted.low, wanted.high)
        assert wanted.low < values.mean() < wanted.high


@pytest.mark.parametrize(("wrong", "share"), [(0, 1.0), (24, 0.0)])
def test_where_all_are_right_or_wrong_the_interval_is_wilsons(
    result: Callable[..., CaseResult], make_table: Table, wrong: int, share: float
):
    found = mean_intervals([result(make_table(24, wrong=wrong))], ["accuracy"])["X", "accuracy"]
    wanted = stats.wilson(24 - wrong, 24)
    assert (found.value, found.low, found.high) == (share, wanted.low, wanted.high)
    assert found.low < found.high


def test_only_accuracy_has_wilsons(result: Callable[..., CaseResult], make_table: Table):
    table = make_table(24)
    full = with_measures(table, intersection=table.columns["tumour/truth_area"])
    found = mean_intervals([result(full)], ["dice"])["X", "dice"]
    assert found.value == found.low == found.high == pytest.approx(1)


def test_what_has_no_interval_is_left_out(result: Callable[..., CaseResult], make_table: Table):
    cases = [
        result(make_table(24, classes=False), case="masks"),
        result(make_table(24, patients=["P"] * 24), case="one patient"),
        result(case="failed"),
        result(make_table(24), case="whole"),
    ]
    found = mean_intervals(cases, ["accuracy", "dice", "macro_f1", "hd95"])
    assert list(found) == [("whole", "accuracy"), ("masks", "dice"), ("whole", "dice")]
    notes: list[tuple[str, str]] = []
    assert list(mean_intervals(cases, ["macro_f1"], notes)) == []
    assert notes == [
        ("one patient", "macro F1: no interval: expected at least 2 groups, got 1"),
        ("whole", "macro F1: no interval: all draws of patients have the same value"),
    ]


def test_a_value_is_of_all_seeds(result: Callable[..., CaseResult], make_table: Table):
    one, two = make_table(24, wrong=3), make_table(24, wrong=9)
    assert mean_value(result(one, two), "accuracy") == pytest.approx(0.75)
    assert mean_value(result(one, make_table(24, classes=False)), "accuracy") is None
    assert mean_value(result(make_table(24, classes=False), one), "accuracy") is None
    assert mean_value(result(), "accuracy") is None


@pytest.mark.parametrize("share", [np.inf, np.nan])
def test_a_mean_is_over_the_samples_that_have_a_value(
    result: Callable[..., CaseResult], make_table: Table, monkeypatch: pytest.MonkeyPatch, share: float
):
    """Its interval is that of these samples alone. Where none has a value there is no mean."""
    table = make_table(24, patients=[f"P{i // 3}" for i in range(24)])
    dice = per_sample(table, "dice")
    some = np.r_[[share] * 4, dice[4:]]
    monkeypatch.setitem(METRICS._items, "dice", replace(METRICS["dice"], of=lambda table: some))
    assert mean_value(result(table), "dice") == pytest.approx(dice[4:].mean())
    wanted = stats.paired_many(dice[4:][None], table.patient[4:]).rows()[0]
    found = mean_intervals([result(table)], ["dice"])["X", "dice"]
    assert found == Mean(pytest.approx(dice[4:].mean()), pytest.approx(wanted.low), pytest.approx(wanted.high))
    monkeypatch.setitem(METRICS._items, "dice", replace(METRICS["dice"], of=lambda table: np.full(24, share)))
    assert mean_value(result(table), "dice") is None
    assert mean_intervals([result(table)], ["dice"]) == {}


def test_a_verdict_gets_its_value_where_it_has_none(result: Callable[..., CaseResult], make_table: Table):
    empty = Verdict("X", "accuracy", "not-comparable")
    measured = result(make_table(24, wrong=6))
    assert with_value(empty, measured).measured == pytest.approx(0.75)
    assert with_value(replace(empty, measured=0.5), measured).measured == 0.5
    assert with_value(empty, replace(measured, failure="error")).measured is None


def test_every_case_has_the_interval_that_it_has_alone(result: Callable[..., CaseResult], make_table: Table):
    """Cases of the same patients share their draws; those of others have their own."""
    other = [f"Q{i // 3}" for i in range(24)]
    cases = [
        result(make_table(24, wrong=5), case="A"),
        result(make_table(24, wrong=9, seed=1, patients=other), case="B"),
        result(make_table(24, wrong=7, seed=2), case="C"),
        result(make_table(24, wrong=0, patients=other), case="D"),
    ]
    together = mean_intervals(cases, ["accuracy", "dice"])
    assert list(together) == [(case, metric) for metric in ("accuracy", "dice") for case in "ABCD"]
    for one in cases:
        for key, mean in mean_intervals([one], ["dice", "accuracy"]).items():
            found = together[key]
            assert (found.value, found.low, found.high) == pytest.approx((mean.value, mean.low, mean.high))


@pytest.mark.parametrize("values", [[np.nan, np.nan], [np.inf, np.nan]])
def test_no_interval_is_made_of_numbers_that_are_none(values: list[float], make_table: Callable[..., Any]):
    result: Any = SimpleNamespace(
        definitions=METRICS, runs=[1], samples=make_table(2), values=lambda metric: np.array(values)
    )
    assert intervals._values(result, "dice") is None
