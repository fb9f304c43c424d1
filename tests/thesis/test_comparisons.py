"""The thesis's four comparisons: a family of their own, corrected for their own number."""

from collections.abc import Callable

import pytest

from btlib import stats
from btlib.reporting import PairTest, pair_tests
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import SampleTable

FOUR = [("E", "A", "dice"), ("F", "B", "accuracy"), ("G", "F", "accuracy"), ("F", "E", "dice")]


@pytest.fixture
def tested(make_table: Callable[..., SampleTable], conditions: Conditions) -> Callable[[str], list[PairTest]]:
    """The tests of the planned family among some cases, each a little worse than the one before."""

    def of(names: str) -> list[PairTest]:
        results = []
        for k, name in enumerate(names):
            table = make_table(worse=0.01 * k, wrong=3 * k, mask=name not in "BG", classes=name != "A", seed=k)
            metrics = {"dice": 1} if name == "A" else {"accuracy": 1}
            run = SeedRun(seed=42, fingerprint=None, samples=table)
            results.append(CaseResult(name, name, conditions, metrics, (run,)))
        return [test for test in pair_tests(results) if test.family == "thesis"]

    return of


def test_the_four_are_tested_in_their_order(tested: Callable[[str], list[PairTest]]) -> None:
    found = tested("ABCDEFG")
    assert [(test.first, test.second, test.metric) for test in found] == FOUR
    assert [test.p_holm for test in found] == pytest.approx(list(stats.holm([test.p for test in found])))


@pytest.mark.parametrize(("names", "expected"), [("EA", [0]), ("BF", [1]), ("EFG", [2, 3]), ("ACD", []), ("XY", [])])
def test_only_those_of_which_both_cases_are_there(
    tested: Callable[[str], list[PairTest]], names: str, expected: list[int]
) -> None:
    found = tested(names)
    assert [(test.first, test.second, test.metric) for test in found] == [FOUR[k] for k in expected]
    if len(found) == 1:
        assert found[0].p_holm == found[0].p, "corrected for their own number and no other"
