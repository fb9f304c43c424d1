"""Pairs of cases: the numbers against SciPy and statsmodels, the readings, and the files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sp
from statsmodels.stats.multitest import multipletests

from btlib.errors import RecordError
from btlib.reporting import pair_tests, write_significance
from btlib.results import CaseResult
from btlib.runs import CaseRecord
from btlib.runs.results import as_results
from btlib.slice_table import SliceTable

Table = Callable[..., SliceTable]
Make = Callable[..., CaseRecord]

ALONE = [f"P{i}" for i in range(60)]
"""Every slice of another patient."""


@pytest.fixture
def cases(make_table: Table, record: Make) -> Callable[..., list[CaseResult]]:
    """A segments only, E and F do both, F classifies worse and G segments worse."""

    def make(patients: Sequence[str | None] | None = None) -> list[CaseResult]:
        people = {"patients": patients}
        return as_results(
            [
                record("A", make_table(classes=False, seed=1, **people)),
                record("E", make_table(seed=2, wrong=3, **people)),
                record("F", make_table(seed=3, wrong=20, **people)),
                record("G", make_table(seed=4, wrong=3, worse=0.2, **people)),
            ]
        )

    return make


def test_every_pair_that_can_be_tested_is(cases: Callable[..., list[CaseResult]]):
    tests = pair_tests(cases())
    thesis = [(t.first, t.second, t.metric) for t in tests if t.family == "thesis"]
    assert thesis == [("E", "A", "dice"), ("G", "F", "accuracy"), ("F", "E", "dice")]
    pairs = {(t.first, t.second, t.metric) for t in tests if t.family == "all pairs"}
    assert pairs == {
        *(("E", "A", "dice"), ("F", "A", "dice"), ("G", "A", "dice")),
        *((a, b, m) for a, b in (("F", "E"), ("G", "E"), ("G", "F")) for m in ("dice", "accuracy")),
    }
    assert [t.family for t in tests] == ["thesis"] * 3 + ["all pairs"] * 9


def test_the_numbers(cases: Callable[..., list[CaseResult]]):
    results = {r.case: r for r in cases(ALONE)}
    tests = [t for t in pair_tests(list(results.values())) if t.family == "all pairs"]
    for t in tests:
        a, b = results[t.first].values(t.metric), results[t.second].values(t.metric)
        assert t.difference == pytest.approx((a - b).mean())
        scipy = sp.bootstrap((a - b,), np.mean, n_resamples=5000, method="percentile", random_state=1)
        low, high = scipy.confidence_interval
        assert (t.low, t.high) == pytest.approx((low, high), abs=0.02)
        if t.metric == "dice":
            assert t.effect == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
        else:
            only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
            expected = sp.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
            assert t.p_mcnemar == pytest.approx(expected)
    assert [t.p_holm for t in tests] == pytest.approx(multipletests([t.p for t in tests], method="holm")[1])


def test_the_readings(cases: Callable[..., list[CaseResult]]):
    words = {(t.first, t.second, t.metric): t.words for t in pair_tests(cases(ALONE)) if t.family == "all pairs"}
    assert words["G", "E", "dice"] == "G is worse than E"
    assert words["G", "F", "accuracy"] == "G is better than F"
    assert words["F", "E", "dice"] == "no difference that matters (within ±0.02)"
    assert words["G", "E", "accuracy"] == "no difference that matters (within ±0.02)"


@pytest.mark.parametrize(
    ("patients", "unit", "n"),
    [([f"P{i // 12}" for i in range(60)], "patient", 5), ([None] * 60, "slice", 60)],
)
def test_what_may_be_of_one_patient_is_resampled_together(
    cases: Callable[..., list[CaseResult]], patients: Sequence[str | None], unit: str, n: int
):
    by_slice = {(t.first, t.second, t.metric): t for t in pair_tests(cases(ALONE))}
    together = {(t.first, t.second, t.metric): t for t in pair_tests(cases(patients))}
    for key, t in together.items():
        assert (t.n, t.unit, t.n_units) == (60, unit, n)
        assert t.difference == pytest.approx(by_slice[key].difference)
    key = ("G", "F", "accuracy")
    assert (together[key].p > 2 * by_slice[key].p) == (n == 5), "the wrong slices are of few patients"


def test_cases_of_different_conditions_are_not_compared(cases: Callable[..., list[CaseResult]]):
    from dataclasses import replace

    first, second, *_ = cases()
    other = replace(second, conditions=second.conditions.model_copy(update={"image_size": 64}))
    with pytest.raises(RecordError, match="case E was measured under other conditions than case A"):
        pair_tests([first, other])


def test_a_mean_over_seeds_has_no_mcnemar(make_table: Table, record: Make):
    records = [record(case, make_table(wrong=wrong), seed=wrong) for case in "XY" for wrong in (3, 6)]
    accuracy = next(t for t in pair_tests(as_results(records)) if t.metric == "accuracy")
    assert (accuracy.p_mcnemar, accuracy.effect) == (None, None)


def test_the_files_say_the_same(cases: Callable[..., list[CaseResult]], tmp_path: Path):
    path = write_significance(cases(), tmp_path)
    assert path == tmp_path / "significance.md"
    value = json.loads((tmp_path / "significance.json").read_text())
    assert value["schema"] == "btlib-significance/2"
    frame = pd.read_csv(tmp_path / "significance.csv")
    assert len(frame) == len(value["tests"]) == 12
    text = path.read_text()
    assert "PHANTOM DATA" in text
    assert "A case with one seed is one training" in text
    assert text.count("\n| ") == 12 + 2
    assert text.index("The thesis's four comparisons") < text.index("All pairs: 9 tests")
    for row in value["tests"]:
        assert f"| {row['first']} − {row['second']} " in text
    picture = (tmp_path / "significance.svg").read_text()
    assert picture.count("dice: row") == picture.count("accuracy: row") == 1
    write_significance(cases(), tmp_path)
    assert (tmp_path / "significance.svg").read_text() == picture


def test_several_trainings_need_no_such_note(make_table: Table, record: Make, tmp_path: Path):
    records = [record(case, make_table(seed=seed), seed=seed) for case in ("A", "E") for seed in (1, 2)]
    path = write_significance(as_results(records), tmp_path)
    assert path is not None
    text = path.read_text()
    assert "seeds: 1, 2" in text
    assert "one training" not in text


def test_one_case_has_no_pairs(cases: Callable[..., list[CaseResult]], tmp_path: Path):
    assert write_significance(cases()[:1], tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_case_called_by_markup_is_text(make_table: Table, record: Make, tmp_path: Path):
    results = as_results([record("<script>", make_table(seed=1)), record("$x_1$", make_table(seed=2))])
    write_significance(results, tmp_path)
    assert "<script>" not in (tmp_path / "significance.svg").read_text()
