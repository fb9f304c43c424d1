"""Intervals of metrics of all samples together, and of their differences between cases."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn import metrics as sk

from btlib import stats
from btlib.errors import StatsError
from btlib.reporting.intervals import mean_intervals
from btlib.reporting.set_pairs import NO_P, set_pairs, set_pairs_table
from btlib.results import CaseResult, Conditions, SeedRun, set_draws
from btlib.sample_table import SampleTable

from .tables import in_order

Table = Callable[..., SampleTable]
Result = Callable[..., CaseResult]
PATIENTS = [f"P{i // 4}" for i in range(48)]


@pytest.fixture
def result(conditions: Conditions) -> Result:
    def make(*tables: SampleTable, case: str = "X") -> CaseResult:
        runs = tuple(SeedRun(seed=k, fingerprint=None, samples=table) for k, table in enumerate(tables))
        return CaseResult(case, case, conditions, {"dice": 1}, runs, failure=None if runs else "timeout")

    return make


def drawn_by_hand(tables: Sequence[SampleTable]) -> np.ndarray:
    """Macro F1 of scikit-learn, mean over the tables, for the first draws of the patients of the first table."""
    order = tables[0]
    names = sorted(set(order.patient), key=lambda name: int(str(name)[1:]))
    rows_of = [[i for i, patient in enumerate(order.patient) if patient == name] for name in names]
    drawn = np.random.default_rng(0).integers(0, len(names), (2000, len(names)))[:40]
    found = []
    for draw in drawn:
        ids = [order.id[i] for patient in draw for i in rows_of[patient]]
        one = []
        for table in tables:
            rows = [table.id.index(name) for name in ids]
            one.append(sk.f1_score(table.labels[rows], table.predicted()[rows], average="macro"))
        found.append(np.mean(one))
    return np.array(found)


def test_patients_are_drawn_and_seeds_averaged(result: Result, make_table: Table) -> None:
    one = make_table(48, wrong=9, patients=PATIENTS)
    two = in_order(make_table(48, wrong=20, patients=PATIENTS), np.random.default_rng(1).permutation(48).tolist())
    drawn = set_draws(result(one, two).runs, one, "macro_f1")
    assert drawn.draws.mean(axis=0)[:40] == pytest.approx(drawn_by_hand([one, two]))
    assert drawn.n_groups == 12


def test_the_interval_is_that_of_the_draws(result: Result, make_table: Table) -> None:
    one, two = (make_table(48, wrong=wrong, patients=PATIENTS) for wrong in (9, 20))
    notes: list[tuple[str, str]] = []
    for metric in ("macro_f1", "balanced_accuracy", "auroc", "ece"):
        found = mean_intervals([result(one, two)], [metric], notes)["X", metric]
        drawn = set_draws(result(one, two).runs, one, metric)
        wanted = stats.drawn_interval(drawn.values.mean(), drawn.draws.mean(axis=0), 12)
        assert found.value == pytest.approx(drawn.values.mean())
        assert (found.low, found.high) == (max(0.0, wanted.low), min(1.0, wanted.high))
        assert found.low < found.value < found.high
    assert notes == []


def test_draws_without_a_class_are_noted_or_refused(result: Result, make_table: Table) -> None:
    """Every third sample is of a class. With classes by patient, a class of few patients is missing in many draws."""
    table = make_table(48, wrong=9)
    of_class = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    many = [f"P{of_class[i % 3][i // 3 % 4]}" for i in range(48)]
    few = [f"P{i % 3}" for i in range(48)]
    notes: list[tuple[str, str]] = []
    cases = [
        result(SampleTable(**{**table.model_dump(), "patient": patients}), case=case)
        for case, patients in (("many", many), ("few", few))
    ]
    found = mean_intervals(cases, ["macro_f1"], notes)
    assert list(found) == [("many", "macro_f1")]
    (first, some), (second, refused) = notes
    assert (first, second) == ("many", "few")
    assert "of 2000 draws of patients have no value; the interval leaves them out" in some
    assert "no interval: " in refused
    assert "the variance is not known" in refused


def test_pairs_share_their_draws(result: Result, make_table: Table) -> None:
    one, two = (make_table(48, wrong=wrong, patients=PATIENTS) for wrong in (9, 20))
    turned = in_order(two, list(range(47, -1, -1)))
    cases = [result(one, case="A"), result(turned, case="B"), result(make_table(48, classes=False), case="masks")]
    found = set_pairs(cases, ["dice", "macro_f1", "ece"])
    assert [(one.first, one.second, one.metric) for one in found] == [("B", "A", "macro_f1"), ("B", "A", "ece")]
    ours, theirs = (set_draws(result(table).runs, one, "macro_f1") for table in (two, one))
    wanted = stats.drawn_interval(float(ours.values[0] - theirs.values[0]), ours.draws[0] - theirs.draws[0], 12)
    assert found[0].difference == pytest.approx(wanted.value)
    assert found[0].bounds == pytest.approx((wanted.low, wanted.high))
    alone = [mean_intervals([case], ["macro_f1"])[case.case, "macro_f1"] for case in cases[:2]]
    assert wanted.high - wanted.low < sum(mean.high - mean.low for mean in alone) / 2 * 2**0.5
    text = set_pairs_table(found)
    assert "B − A" in text
    assert f"{wanted.value:+.4f}" in text
    same = set_pairs([result(one, case="A"), result(one, case="C")], ["auroc"])[0]
    assert (same.difference, same.bounds, same.note) == (0, (0, 0), "")
    assert "no p values" in NO_P


def test_a_pair_without_enough_draws_says_so(result: Result, make_table: Table) -> None:
    few = [f"P{i % 3}" for i in range(48)]
    cases = [result(make_table(48, wrong=wrong, patients=few), case=case) for case, wrong in (("A", 9), ("B", 4))]
    (found,) = set_pairs(cases, ["macro_f1"])
    assert found.bounds is None
    assert "draws of groups have no value" in found.note
    assert "–" in set_pairs_table([found])
    one = [result(make_table(48, patients=["P"] * 48), case=case) for case in "AB"]
    with pytest.raises(StatsError, match="at least 2 groups, got 1"):
        set_pairs(one, ["macro_f1"])
    assert set_pairs(cases[:1], ["macro_f1"]) == ()
