"""Sessions of pytest with seeds in stages."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.runs import RunStore

Run = Callable[..., pytest.RunResult]


def prepared(folder: Path) -> Counter[str]:
    """How often each case was prepared; forgotten afterwards."""
    path = folder / "prepared.txt"
    found = Counter(path.read_text().split())
    path.unlink()
    return found


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(("-k", "toy1 and accuracy or toy2"), id="the unclear metric"),
        pytest.param(("-k", "toy1 and dice or toy2"), id="another metric"),
        pytest.param(("-n", "2", "-k", "toy"), id="two workers", marks=pytest.mark.nightly),
    ],
)
def test_only_a_case_with_an_unclear_verdict_gets_more_seeds(
    accepted: Run, pytester: pytest.Pytester, latest: Callable[[], Path], args: tuple[str, ...]
) -> None:
    """One of few samples is wrong in each seed of toy1; toy2 has the numbers of the baseline."""
    result = accepted("--benchmark-disable", "--bt-seeds=1..4", *args, select=None, toy1="one wrong")
    store = RunStore(latest())
    records = Counter(record.case for record in store.records())
    assert (records["toy1"] > 1, records["toy2"]) == (True, 1)
    if "-n" not in args:
        assert prepared(pytester.path) == records
        result.stdout.fnmatch_lines(
            [
                "  seeds: stages of 1, 3 and 4, until the verdicts on a case are clear",
                "case toy1: inconclusive with 1 seed, measuring seeds 43 and 44",
            ]
        )
    assert (store.info().stopped["toy2"], store.lost()) == (1, {})
    result.stdout.fnmatch_lines(["seeds: stopped after 1 of up to 4 seeds: pass (toy2)"])


def test_one_number_of_seeds_has_no_stages(accepted: Run, pytester: pytest.Pytester) -> None:
    result = accepted("--benchmark-disable", "--bt-seeds=2", "-k", "accuracy and toy", select=None)
    assert prepared(pytester.path) == {"toy1": 2, "toy2": 2}
    result.stdout.no_fnmatch_line("*seeds:*")
