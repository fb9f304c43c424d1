"""Scores in reports: columns, ranks and tests of pairs follow their direction, unit and margin."""

from typing import Any

import numpy as np
import pytest

from btlib.numbers import as_result, define, from_arrays
from btlib.reporting.axes import SHARE, value_limits
from btlib.reporting.comparison import values
from btlib.reporting.intervals import mean_intervals
from btlib.reporting.metric_columns import metric_columns
from btlib.reporting.significance import have_same_samples, pair_tests
from btlib.results import CaseResult

IDS = [f"u{i}" for i in range(60)]
GROUPS = [f"s{i % 12}" for i in range(60)]
BASE = np.random.default_rng(1).gamma(2.0, 0.1, 60)
NOISE = np.random.default_rng(2).normal(0, 0.002, 60)


def case(name: str, numbers: Any, score: str = "wer", ids: list[str] = IDS, **fields: Any) -> CaseResult:
    known = define(score, **{"direction": "lower", "margin": 0.01} | fields)
    return as_result(from_arrays(score, ids, numbers, GROUPS[: len(ids)], group="speaker"), name, [known])


def test_pairs_of_cases_are_tested_by_direction_and_margin():
    first, better, alike = case("first", BASE), case("better", BASE - 0.1 + NOISE), case("alike", BASE + NOISE)
    tests = {(test.first, test.second): test for test in pair_tests([first, better, alike])}
    assert {test.metric for test in tests.values()} == {"wer"}
    won = tests["better", "first"]
    assert won.difference == pytest.approx((NOISE - 0.1).mean())
    assert (won.words, won.unit, won.n_units) == ("better is better than first", "speaker", 12)
    assert tests["alike", "first"].words == "no relevant difference (within ±0.01)"
    assert tests["alike", "first"].equivalent
    narrow = pair_tests([case("first", BASE, margin=1e-4), case("alike", BASE + NOISE, margin=1e-4)])
    assert not narrow[0].equivalent


def test_cases_of_other_samples_are_no_pair():
    assert have_same_samples([case("first", BASE), case("second", BASE + 1)])
    assert not have_same_samples([case("first", BASE), case("second", BASE[:50], ids=IDS[:50])])


class Row:
    def __init__(self, result: CaseResult) -> None:
        self.values = values(result)


def test_a_table_of_scores_has_their_columns_only():
    found = case("x", BASE, "seconds", unit="s", margin=0.1)
    (column,) = metric_columns([Row(found)], found.definitions)
    assert (column.metric, column.title, column.unit) == ("seconds", "score seconds", "s")
    (own,) = metric_columns([Row(case("x", BASE, "dice"))], case("x", BASE, "dice").definitions)
    assert (own.metric, own.title) == ("dice", "dice")
    assert [column.metric for column in metric_columns([Row(found)])] == ["dice", "hd95", "accuracy", "macro_f1"]


def test_intervals_are_over_groups():
    found = mean_intervals([case("x", BASE)], ["wer", "cer"])
    assert found.keys() == {("x", "wer")}
    mean = found["x", "wer"]
    assert mean.value == pytest.approx(BASE.mean())
    assert mean.low < mean.value < mean.high


@pytest.mark.parametrize(
    ("limits", "expected"),
    [((0.0, 1.0), SHARE), ((0.0, None), (0.0, None)), ((None, None), (None, None)), ((None, 5.0), (None, None))],
)
def test_axes_of_scores(limits: tuple[float | None, float | None], expected: tuple[float | None, float | None]):
    known = case("x", np.clip(BASE, 0, 1), range=limits).definitions
    assert value_limits("wer", known) == expected
