"""What is measured beside the quality: what items ask for, measured within the cell, read from its record."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.gate.verdict import COULD_NOT_JUDGE
from btlib.plugin import benchmarks
from btlib.runs import CaseRecord, RunStore

from .test_users_benchmarks import BENCH

Run = Callable[..., pytest.RunResult]
Latest = Callable[[], Path]
Edit = Callable[..., None]

REPLAYED = """
import pytest

from btlib.plugin.benchmarks import recorded_clock, replay

SECONDS = {"several": [0.25, 0.5, 0.1, 1e-9, 3600.0, 0.1], "one": [0.3], "two alike": [0.7, 0.7]}


@pytest.mark.benchmark(timer=recorded_clock)
@pytest.mark.parametrize("name", SECONDS)
def test_replay(benchmark, name):
    replay(benchmark, SECONDS[name])


@pytest.mark.benchmark(min_rounds=2, max_time=0.01)
def test_of_the_users_own(benchmark):
    benchmark(sum, [1, 2])
"""


def test_pytest_benchmark_is_given_the_recorded_seconds_to_the_bit(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # among workers pytest-benchmark is off
    pytester.makepyfile(REPLAYED)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "--benchmark-json=bench.json", "-W", "error")
    result.assert_outcomes(passed=4)
    found = {one["name"]: one["stats"] for one in json.loads((pytester.path / "bench.json").read_text())["benchmarks"]}
    expected = {"several": [0.25, 0.5, 0.1, 1e-9, 3600.0, 0.1], "one": [0.3], "two alike": [0.7, 0.7]}
    for name, seconds in expected.items():
        stats = found[f"test_replay[{name}]"]
        assert stats["data"] == seconds, "in their order"
        assert (stats["rounds"], stats["iterations"]) == (len(seconds), 1)
        assert (stats["min"], stats["max"]) == (min(seconds), max(seconds))
    assert found["test_of_the_users_own"]["max"] < 3600, "by the user's own clock"


def test_replaying_stands_still_between_calls():
    """Whoever looks at the clock twice within a call sees it go on by that call alone."""
    seen = []

    class Bench:
        def pedantic(self, function, setup, rounds, iterations):
            assert iterations == 1
            for _ in range(rounds):
                setup()
                before = benchmarks.recorded_clock()
                function()
                seen.append((before, benchmarks.recorded_clock()))

    benchmarks.replay(Bench(), (0.5, 0.1))
    assert seen == [(0.0, 0.5), (0.0, 0.1)]


def records(latest: Latest) -> dict[str, CaseRecord]:
    return {record.case: record for record in RunStore(latest()).records()}


FIGURES = ["inference, batch 1", "inference, batch 16"]


@pytest.mark.parametrize(
    ("select", "measured", "figures"),
    [
        ("quality", ["quality"], []),
        ("maps", ["quality", "explanation"], []),
        ("quality or inference", ["quality", "inference"], FIGURES),
        ("training_step or maps", ["quality", "training step", "explanation"], ["training step, batch 16"]),
    ],
)
def test_what_the_items_of_a_session_ask_for_is_measured_and_nothing_else(
    project: Run, latest: Latest, pytester: pytest.Pytester, select: str, measured: list[str], figures: list[str]
):
    project("--bt-baseline=none", select=f"toy1 and ({select})")
    assert records(latest)["toy1"].measured == measured
    speed = records(latest)["toy1"].speed
    assert ([] if speed is None else [*speed.figures]) == figures
    assert RunStore(latest()).info().measures == {"toy1": sorted(measured[1:])}
    assert (pytester.path / "prepared.txt").read_text().split() == ["toy1"]


@pytest.mark.parametrize("args", [("--benchmark-disable",), ("--benchmark-skip",), ("-n", "2")], ids=str)
def test_where_pytest_benchmark_is_off_no_speed_is_measured(project: Run, latest: Latest, args: tuple[str, ...]):
    result = project("--bt-baseline=none", *args)
    outcomes = result.parseoutcomes()
    skipped = 6 if "--benchmark-skip" in args else 0
    assert (result.ret, outcomes["passed"], outcomes.get("skipped", 0)) == (0, 12 - skipped, skipped)
    for record in records(latest).values():
        assert (record.measured, record.speed, record.problems) == (["quality", "explanation"], None, {})
    assert not (latest() / "speed.md").exists()


BROKEN_STEP = """
def broken(n):
    raise RuntimeError(f"no kernel for batch {n}")
"""


def test_a_measure_that_failed_fails_its_own_items(project: Run, latest: Latest, edit_conftest: Edit):
    """With the message of what went wrong; the quality was measured before, and stands."""
    edit_conftest("training_step=lambda n: lambda: None", "training_step=broken if name == 'toy1' else None")
    edit_conftest("REFERENCE = None\n", f"REFERENCE = None\n{BROKEN_STEP}")
    result = project("--bt-baseline=none", "-v", "-rs", select="toy and (quality or training_step or inference)")
    assert result.ret == COULD_NOT_JUDGE
    result.assert_outcomes(passed=8, failed=1, skipped=1, deselected=result.parseoutcomes()["deselected"])
    result.stdout.fnmatch_lines_random(
        [
            "*test_quality?smoke-toy1-dice? PASSED*",
            "*test_quality?smoke-toy1-accuracy? PASSED*",
            "*test_inference?smoke-toy1-16? PASSED*",
            "*test_training_step?smoke-toy1? FAILED*",
            "*case toy1, training step: *",
            "*RuntimeError: no kernel for batch 16",
            "SKIPPED*case toy2 is not trained here",
        ]
    )
    toy1, toy2 = records(latest)["toy1"], records(latest)["toy2"]
    assert (toy1.outcome, toy2.outcome) == ("done", "done")
    assert toy1.problems.keys() == {"training step"}
    assert "no kernel for batch 16" in toy1.problems["training step"]
    for record in (toy1, toy2):
        assert record.measured == ["quality", "inference", "training step"]
        assert record.speed is not None
        assert [*record.speed.figures] == FIGURES
    assert toy2.problems == {}


MINE = """
import pytest

from btlib.runs.measuring import MEASURES

MEASURES.add("mine", lambda live: live.store.path.joinpath(f"mine-{live.case.name}").touch() or {})


@pytest.mark.btlib_measures("mine")
def test_mine(bt_run, bt_case):
    assert "mine" in bt_run.first_record(bt_case).measured
    assert bt_run.store.path.joinpath(f"mine-{bt_case}").exists()
"""


def test_a_users_test_brings_and_asks_for_a_measure(
    pytester: pytest.Pytester, written: Callable[..., None], measure: Callable[..., pytest.RunResult]
):
    written({"tests/test_bench.py": BENCH + MINE})
    result = measure("-W", "error", "--strict-markers")
    assert (result.ret, result.parseoutcomes()["passed"]) == (0, 4)
    (folder,) = (pytester.path / "reports").iterdir()
    (record,) = RunStore(folder).records()
    assert record.measured == ["quality", "mine"]
