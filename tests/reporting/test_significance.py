"""Pairs of cases: the numbers against SciPy and statsmodels, the readings, and the files."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sp
from statsmodels.stats.multitest import multipletests

from btlib import stats
from btlib.errors import RecordError
from btlib.evaluation.aggregate import per_sample
from btlib.reporting import PairTest, pair_tests, significance, write_significance
from btlib.reporting.significance import one_training_note, reading
from btlib.reporting.significance_table import significance_table
from btlib.results import CaseResult
from btlib.runs import CaseRecord
from btlib.runs.results import as_results
from btlib.sample_table import SampleTable

from .cells import rows
from .tables import changed, in_order

Table = Callable[..., SampleTable]
Make = Callable[..., CaseRecord]

ALONE = [f"P{i}" for i in range(60)]
"""Every sample of another patient."""


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


@pytest.fixture(scope="module")
def known() -> dict[tuple[str | None, ...], tuple[PairTest, ...]]:
    """The tests of these cases by the patients of their samples: each takes a second."""
    return {}


@pytest.fixture
def tested(
    cases: Callable[..., list[CaseResult]], known: dict[tuple[str | None, ...], tuple[PairTest, ...]]
) -> Callable[..., tuple[PairTest, ...]]:
    def tests(patients: Sequence[str | None] = ALONE) -> tuple[PairTest, ...]:
        key = tuple(patients)
        known[key] = known.get(key) or pair_tests(cases(patients))
        return known[key]

    return tests


def test_every_pair_that_can_be_tested_is(tested: Callable[..., tuple[PairTest, ...]]):
    tests = tested()
    thesis = [(t.first, t.second, t.metric) for t in tests if t.family == "thesis"]
    assert thesis == [("E", "A", "dice"), ("G", "F", "accuracy"), ("F", "E", "dice")]
    pairs = {(t.first, t.second, t.metric) for t in tests if t.family == "all pairs"}
    assert pairs == {
        *(("E", "A", "dice"), ("F", "A", "dice"), ("G", "A", "dice")),
        *((a, b, m) for a, b in (("F", "E"), ("G", "E"), ("G", "F")) for m in ("dice", "accuracy")),
    }
    assert [t.family for t in tests] == ["thesis"] * 3 + ["all pairs"] * 9


def test_the_numbers(cases: Callable[..., list[CaseResult]], tested: Callable[..., tuple[PairTest, ...]]):
    results = {r.case: r for r in cases(ALONE)}
    tests = [t for t in tested() if t.family == "all pairs"]
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


def test_the_readings(tested: Callable[..., tuple[PairTest, ...]]):
    words = {(t.first, t.second, t.metric): t.words for t in tested() if t.family == "all pairs"}
    assert words["G", "E", "dice"] == "G is worse than E"
    assert words["G", "F", "accuracy"] == "G is better than F"
    assert words["F", "E", "dice"] == "no relevant difference (within ±0.02)"
    assert words["G", "E", "accuracy"] == "no relevant difference (within ±0.02)"


@pytest.mark.parametrize(
    ("patients", "unit", "n"),
    [([f"P{i // 12}" for i in range(60)], "patient", 5), ([None] * 60, "sample", 60)],
)
def test_what_may_be_of_one_patient_is_resampled_together(
    tested: Callable[..., tuple[PairTest, ...]], patients: Sequence[str | None], unit: str, n: int
):
    by_slice = {(t.first, t.second, t.metric): t for t in tested()}
    together = {(t.first, t.second, t.metric): t for t in tested(patients)}
    for key, t in together.items():
        assert (t.n, t.unit, t.n_units) == (60, unit, n)
        assert t.difference == pytest.approx(by_slice[key].difference)
    key = ("G", "F", "accuracy")
    assert (together[key].p > 2 * by_slice[key].p) == (n == 5), "the wrong samples are of few patients"


def test_cases_of_different_conditions_are_not_compared(cases: Callable[..., list[CaseResult]]):
    first, second, *_ = cases()
    other = replace(second, conditions=second.conditions.model_copy(update={"image_size": 64}))
    with pytest.raises(RecordError, match="case E and case A were measured under different conditions"):
        pair_tests([first, other])


def test_a_mean_over_seeds_has_no_mcnemar(make_table: Table, record: Make):
    records = [record(case, make_table(wrong=wrong), seed=wrong) for case in "XY" for wrong in (3, 6)]
    accuracy = next(t for t in pair_tests(as_results(records)) if t.metric == "accuracy")
    assert (accuracy.p_mcnemar, accuracy.effect) == (None, None)


def test_the_files_say_the_same(
    cases: Callable[..., list[CaseResult]],
    tested: Callable[..., tuple[PairTest, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    writing = import_module("btlib.reporting.write_significance")
    monkeypatch.setattr(writing, "pair_tests", lambda results: tested())
    path = write_significance(cases(), tmp_path)
    assert path == tmp_path / "significance.md"
    value = json.loads((tmp_path / "significance.json").read_text())
    assert value["schema"] == "btlib-significance/2"
    frame = pd.read_csv(tmp_path / "significance.csv")
    assert len(frame) == len(value["tests"]) == 12
    text = path.read_text()
    assert "PHANTOM DATA" in text
    assert "A case with one seed is a single training run" in text
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


@pytest.fixture
def four(make_table: Table, record: Make) -> list[CaseResult]:
    """Two cases with two seeds each, whose rows stand in other orders than those of the first."""

    def shuffled(table: SampleTable, seed: int) -> SampleTable:
        return in_order(table, np.random.default_rng(seed).permutation(table.n).tolist())

    tables = {(c, s): make_table(24, seed=10 * k + s, wrong=3 * k + s) for k, c in enumerate("XY") for s in (1, 2)}
    return as_results([record(c, shuffled(t, s + len(c)), seed=s) for (c, s), t in tables.items()])


def test_slices_are_paired_by_number_over_all_seeds(four: list[CaseResult]):
    one, other = four
    for test in pair_tests(four):
        means = []
        for result in (other, one):
            by_id: dict[str, float] = dict.fromkeys(result.samples.id, 0.0)
            for run in result.runs:
                values = per_sample(run.samples, "dice") if test.metric == "dice" else run.samples.correct()
                for name, value in zip(run.samples.id, values.tolist(), strict=True):
                    by_id[name] += value / 2
            means.append(by_id)
        differences = np.array([means[0][n] - means[1][n] for n in one.samples.id])
        assert (test.first, test.second) == ("Y", "X")
        assert test.difference == pytest.approx(differences.mean())
        if test.metric == "dice":
            assert test.effect == pytest.approx(differences.mean() / differences.std(ddof=1))
        wanted = stats.paired(differences, np.zeros(24), one.samples.patient)
        assert (test.low, test.high) == pytest.approx((wanted.low, wanted.high))
        assert test.p == pytest.approx(wanted.p, abs=0.02)


def test_a_margin_between_the_two_intervals_is_enough(
    cases: Callable[..., list[CaseResult]], monkeypatch: pytest.MonkeyPatch
):
    """Two one-sided tests at 5 % are the 90 % interval, not the 95 % one that is shown."""
    results = {r.case: r for r in cases(ALONE)}
    (test,) = (t for t in pair_tests([results["E"], results["F"]]) if (t.metric, t.family) == ("dice", "all pairs"))
    values = results["F"].values("dice") - results["E"].values("dice")
    inner = stats.paired_many(values[None], ALONE, confidence=0.9).rows()[0]
    between = (max(-inner.low, inner.high) + max(-test.low, test.high)) / 2
    assert max(-inner.low, inner.high) < between < max(-test.low, test.high)
    monkeypatch.setattr(significance, "MARGIN", between)
    assert pair_tests([results["E"], results["F"]])[0].equivalent


def test_the_thesis_asked_four_questions(make_table: Table, record: Make):
    """As its README does: Dice with a class head and without, types with a decoder and without."""
    cases = [record("A", make_table(6, classes=False)), record("B", make_table(6, mask=False))]
    cases += [record(name, make_table(6, seed=k)) for k, name in enumerate("EFG")]
    cases[1] = cases[1].model_copy(update={"metrics": {"accuracy": 1}})
    thesis = [(t.first, t.second, t.metric) for t in pair_tests(as_results(cases)) if t.family == "thesis"]
    assert thesis == [("E", "A", "dice"), ("F", "B", "accuracy"), ("G", "F", "accuracy"), ("F", "E", "dice")]


def test_p_is_corrected_within_each_family(tested: Callable[..., tuple[PairTest, ...]]):
    tests = tested()
    for family in ("thesis", "all pairs"):
        ours = [t for t in tests if t.family == family]
        assert [t.p_holm for t in ours] == pytest.approx(multipletests([t.p for t in ours], method="holm")[1])
    assert len({t.p_holm for t in tests if (t.first, t.second, t.metric) == ("G", "F", "accuracy")}) == 2


def test_two_cases_without_a_disagreement_have_no_odds_ratio(make_table: Table, record: Make):
    results = as_results([record(case, make_table(24, wrong=4)) for case in "XY"])
    dice, accuracy = pair_tests(results)
    assert (dice.effect, accuracy.effect) == (0.0, None)
    assert (dice.p_mcnemar, accuracy.p_mcnemar) == (None, 1.0)
    assert dice.difference == accuracy.difference == 0


def test_the_odds_ratio_is_of_the_first_to_the_second(make_table: Table, record: Make):
    """Only Y is right on three samples, only X on one."""

    def table(*wrong: int) -> SampleTable:
        right = make_table(24)
        turned = [np.roll(row, -1) if i in wrong else row for i, row in enumerate(right.class_prob)]
        columns = {f"probability/{name}": [float(row[k]) for row in turned] for k, name in enumerate(right.classes)}
        return changed(right, columns=right.columns | columns)

    results = as_results([record("X", table(0, 1, 2)), record("Y", table(5))])
    (accuracy,) = (t for t in pair_tests(results) if t.metric == "accuracy")
    assert (accuracy.first, accuracy.difference) == ("Y", pytest.approx(2 / 24))
    assert accuracy.effect == pytest.approx(3)
    assert accuracy.p_mcnemar == pytest.approx(sp.binomtest(1, 4).pvalue)


PAIR = PairTest(
    family="all pairs",
    first="a|b",
    second="c",
    metric="accuracy",
    n=60,
    unit="patient",
    n_units=20,
    difference=0.25,
    low=0.125,
    high=0.375,
    p=0.011,
    p_is_bound=False,
    p_holm=0.022,
    p_holm_is_bound=False,
    p_mcnemar=0.033,
    effect=4.5,
    equivalent=False,
    undecided=False,
    words="",
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "a|b is better than c"),
        ({"difference": -0.25}, "a|b is worse than c"),
        ({"equivalent": True}, "a|b is better than c, but not by a relevant amount (within ±0.02)"),
        ({"p_holm": 0.05}, "no significant difference; a relevant difference is not ruled out"),
        ({"p_holm": 0.0499}, "a|b is better than c"),
        ({"p_holm": 0.05, "equivalent": True}, "no relevant difference (within ±0.02)"),
        ({"p_holm": 0.0499, "undecided": True}, "cannot tell: p is too close to 0.05 for the number of random flips"),
        ({"p_holm": 0.0501, "undecided": True}, "cannot tell: p is too close to 0.05 for the number of random flips"),
        ({"undecided": True, "equivalent": True}, "no relevant difference (within ±0.02)"),
    ],
)
def test_the_reading_of_a_test(changes: dict[str, Any], words: str):
    assert reading(replace(PAIR, **changes)) == words


def test_every_number_of_a_test_has_its_column():
    (row,) = rows(significance_table([PAIR], "github").replace(r"\|", "/"))
    assert row == {
        "pair": "a/b − c",
        "metric": "accuracy",
        "difference": "+0.2500",
        "95 % interval": "+0.1250 … +0.3750",
        "p": "0.011",
        "Holm p": "0.022",
        "McNemar p": "0.033",
        "effect": "4.50",
        "within ±0.02": "no",
        "conclusion": "a/b is better than c",
    }
    (row,) = rows(
        significance_table([replace(PAIR, first="a", effect=None, p_mcnemar=None, equivalent=True)], "github")
    )
    assert (row["effect"], row["McNemar p"], row["within ±0.02"]) == ("–", "–", "yes")


def test_one_case_with_one_seed_is_enough_for_the_note(make_table: Table, record: Make):
    records = [record("X", make_table(24), seed=s) for s in (1, 2)] + [record("Y", make_table(24))]
    one, other = as_results(records)
    assert one_training_note([one]) == ""
    assert one_training_note([other]) == one_training_note([one, other]) == one_training_note([other, one]) != ""


def test_the_report_says_how_many_of_what(cases: Callable[..., list[CaseResult]], tmp_path: Path):
    patients = [f"P{i // 12}" for i in range(60)]
    path = write_significance(cases(patients)[:2], tmp_path)
    assert path is not None
    text = path.read_text()
    assert "- 60 samples of 5 patients; seeds: 1\n" in text
    assert "## All pairs: 1 tests" in text
    assert "## The thesis's four comparisons: 1 tests" in text
    frame = pd.read_csv(tmp_path / "significance.csv")
    assert frame["family"].tolist() == ["thesis", "all pairs"]
    assert json.loads((tmp_path / "significance.json").read_text())["tests"][0]["n_units"] == 5


def test_only_all_pairs_are_drawn(
    cases: Callable[..., list[CaseResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn: list[Sequence[PairTest]] = []
    monkeypatch.setattr("btlib.reporting.figures.significance_matrix", lambda tests, path: drawn.append(tests))
    write_significance(cases(ALONE)[:2], tmp_path)
    assert [test.family for test in drawn[0]] == ["all pairs"]


def test_a_p_that_is_a_bound_is_printed_as_one():
    bound = replace(PAIR, first="a", p=0.0012, p_is_bound=True, p_holm=0.0024, p_holm_is_bound=True)
    (row,) = rows(significance_table([bound], "github"))
    assert (row["p"], row["Holm p"], row["McNemar p"]) == ("≤ 0.0012", "≤ 0.0024", "0.033")


def test_the_least_p_is_a_bound_in_the_files_too(make_table: Table, record: Make, tmp_path: Path):
    """Numbers stay numbers, with a column that says which are bounds."""
    results = as_results([record("X", make_table(24)), record("Y", make_table(24, worse=0.4))])
    write_significance(results, tmp_path)
    frame = pd.read_csv(tmp_path / "significance.csv")
    assert frame["p"].dtype == frame["p_holm"].dtype == float
    assert set(frame["p_is_bound"]) | set(frame["p_holm_is_bound"]) | set(frame["undecided"]) <= {True, False}
    dice = frame[frame["metric"] == "dice"].iloc[0]
    assert dice["p_is_bound"]
    assert dice["p"] == pytest.approx(1 / 10_001)
