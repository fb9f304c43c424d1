"""The fixture `bt_gate` in a user's own tests: judged, stored, accepted and reported like the cases of btlib."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from btlib.cli import app
from btlib.gate import Baseline
from btlib.runs import RunStore

from .test_users_benchmarks import BENCH

Run = Callable[..., pytest.RunResult]
Written = Callable[[dict[str, str]], None]

TESTS = """
import os

import numpy as np

RNG = np.random.default_rng(0)
IDS = [f"u{i}" for i in range(120)]
SPEAKERS = [f"s{i % 12}" for i in range(120)]
WER = RNG.gamma(2, 0.05, 120)
SECONDS = RNG.gamma(3, 0.1, 40) + RNG.normal(0, 0.002, (3, 1))
NOISE = np.random.default_rng(int(os.environ.get("NOISE", "0"))).normal(0, 0.001, 120) * ("NOISE" in os.environ)
SHIFT = float(os.environ.get("SHIFT", "0"))
DOUBT = float(os.environ.get("DOUBT", "0"))


def test_wer(bt_gate):
    found = bt_gate.check(
        "wer", ids=IDS, values=WER + NOISE + SHIFT, groups=SPEAKERS, group="speaker", lower_is_better=True, margin=0.01
    )
    assert found.status in ("pass", "measured")


def test_latency(bt_gate):
    values = {seed: row + DOUBT * RNG.normal(size=40) for seed, row in enumerate(SECONDS, 1)}
    bt_gate.check(
        "seconds", ids=range(40), values=values, independent=True, lower_is_better=True, margin=0.05, unit="s"
    )


def test_other():
    pass
"""


HIDDEN = """
import pytest
from test_numbers import IDS, NOISE, SECONDS, SHIFT, SPEAKERS, WER


@pytest.mark.xfail
def test_wer(bt_gate):
    bt_gate.check(
        "wer", ids=IDS, values=WER + NOISE + SHIFT, groups=SPEAKERS, group="speaker", lower_is_better=True, margin=0.01
    )


def test_latency(bt_gate):
    values = dict(enumerate(SECONDS + 10 * SHIFT, 1))
    try:
        bt_gate.check(
            "seconds", ids=range(40), values=values, independent=True, lower_is_better=True, margin=0.05, unit="s"
        )
    except BaseException:
        pass
"""


@pytest.fixture
def gate(
    run: Run, written: Written, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Runs the tests of `TESTS` with other numbers, given as environment variables."""
    written({"test_numbers.py": TESTS, "pytest.ini": "[pytest]\n"})

    def session(*args: str, pictures: bool = False, **numbers: float) -> pytest.RunResult:
        for name in ("SHIFT", "NOISE", "DOUBT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in numbers.items():
            monkeypatch.setenv(name, str(value))
        return run("-p", "no:cacheprovider", *args, pictures=pictures)

    return session


def cli(*args: str) -> str:
    result = CliRunner().invoke(app, list(args))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_from_no_baseline_to_a_regression(
    gate: Run, latest: Callable[[], Path], pytester: pytest.Pytester, written: Written
):
    """Missing, accepted, passed, regressed: with the records, tables, reports and exit codes of cases."""
    first = gate()
    assert first.ret == 7
    first.assert_outcomes(failed=2, passed=1)
    first.stdout.fnmatch_lines(
        [
            "case wer, wer: MISSING-BASELINE",
            f"  accept     btlib baseline accept reports/{latest().name} --name gate --reason *",
            "*btlib gate compared with gate*",
            "seconds*missing-baseline*given",
            "wer*missing-baseline*given",
        ]
    )
    assert [(r.case, r.seed) for r in RunStore(latest()).records()] == [
        *(("seconds", seed) for seed in (1, 2, 3)),
        ("wer", 0),
    ]
    assert "new" in cli("baseline", "propose", "latest", "--name", "gate")
    cli("baseline", "accept", "latest", "--name", "gate", "--reason", "the first numbers")
    baseline = Baseline.load(pytester.path / "baselines/gate.json")
    assert {case: baseline.gated(case) for case in baseline.cases} == {"seconds": ["seconds"], "wer": ["wer"]}

    second = gate("--junitxml=junit.xml", NOISE=1)
    assert second.ret == 0
    second.assert_outcomes(passed=3)
    found = {p.get("name"): p.get("value") for p in ElementTree.parse(pytester.path / "junit.xml").iter("property")}
    assert found["status"] == "pass"
    assert found.keys() >= {"case", "metric", "measured", "baseline", "low", "high"}

    written({"test_hidden.py": HIDDEN, "pytest.ini": "[pytest]\n"})
    hidden = gate("test_hidden.py", SHIFT=0.05, NOISE=1)
    assert hidden.ret == 1, "a mark or an except clause hides no verdict"
    hidden.assert_outcomes(xfailed=1, passed=1)
    (pytester.path / "test_hidden.py").unlink()

    worse = gate(SHIFT=0.05, NOISE=1, pictures=True)
    assert worse.ret == 1
    worse.assert_outcomes(failed=1, passed=2)
    worse.stdout.fnmatch_lines(["case wer, wer: REGRESSED", "*paired by speaker, without trainings*"])
    worse.stdout.fnmatch_lines(["case*verdict*wer*score seconds*seconds*", "seconds*pass*", "wer*regressed*"])
    folder = latest()
    judged = json.loads((folder / "judgement.json").read_text())["cases"]
    assert {case: one["verdicts"][0]["status"] for case, one in judged.items()} == {
        "seconds": "pass",
        "wer": "regressed",
    }
    assert "regressed" in (folder / "comparison.md").read_text()
    page = (folder / "index.html").read_text()
    assert "Difference in wer from the baseline" in page
    assert "seconds of every sample" in page


def test_unclear_is_a_warning_and_strict_makes_it_a_failure(gate: Run):
    gate()
    cli("baseline", "accept", "latest", "--name", "gate", "--reason", "the first numbers")
    doubt = gate(DOUBT=1.0)
    assert doubt.ret == 0
    doubt.assert_outcomes(passed=3, warnings=1)
    doubt.stdout.fnmatch_lines(["*case seconds, seconds: INCONCLUSIVE*"])
    strict = gate("--bt-strict", DOUBT=1.0)
    assert strict.ret == 1
    strict.assert_outcomes(passed=2, failed=1)
    some = gate("--bt-strict", "-k", "wer")
    assert some.ret == 7, "a check that is left out could not fail"
    some.stdout.fnmatch_lines(["not measured: seconds"])


def test_without_a_comparison_and_with_a_baseline_of_another_name(gate: Run, pytester: pytest.Pytester):
    measured = gate("--bt-baseline=none")
    assert measured.ret == 0
    measured.stdout.fnmatch_lines(["*btlib gate without comparison*", "wer*measured*"])
    cli("baseline", "accept", "latest", "--name", "asr", "--reason", "the first numbers")
    assert gate().ret == 7
    assert gate("--bt-baseline=asr").ret == 0
    (pytester.path / "pytest.ini").write_text("[pytest]\nbtlib_gate_baseline = asr\n")
    assert gate().ret == 0
    assert gate("--bt-baseline=smoke").ret == 0, "the baseline of cases in the same session"


WRONG = """
import pytest

IDS = ["a", "b", "c"]
GOOD = {"ids": IDS, "values": [0.1, 0.2, 0.3], "groups": IDS, "margin": 0.1}


@pytest.mark.parametrize("bad", [
    {"values": [0.1, 0.2]}, {"values": [0.1, float("nan"), 0.3]}, {"ids": ["a", "a", "b"]}, {"groups": None},
    {"margin": 0}, {"margin": float("nan")}, {"range": (0.0, 0.2)},
    {"case": 5}, {"group": ""}, {"lower_is_better": "no"}, {"retrained": "no"}, {"independent": 1},
])
def test_refused(bt_gate, bad):
    bt_gate.check("x", **GOOD | bad)


def test_twice(bt_gate):
    bt_gate.check("y", **GOOD)
    bt_gate.check("y", **GOOD)


def test_again(bt_gate):
    bt_gate.check("y", **GOOD)


def test_other_definition(bt_gate):
    bt_gate.check("y", case="other", **GOOD, unit="s")


def test_reserved(bt_gate):
    bt_gate.check("seed", **GOOD)
"""


def test_what_cannot_be_judged_fails_with_its_reason(run: Run, written: Written, latest: Callable[[], Path]):
    written({"test_wrong.py": WRONG, "pytest.ini": "[pytest]\n"})
    result = run("-p", "no:cacheprovider", "--bt-baseline=none")
    assert result.ret == 7
    result.assert_outcomes(failed=16)
    told = [line.partition("bt_gate.check(")[2] for line in result.stdout.lines if line.startswith("bt_gate.check(")]
    for expected in (
        "'x'): x: expected 3 values, one per id, got 2",
        "'x'): x: expected a finite number for id 'b', got nan",
        "'x'): ids: id 'a' occurs more than once",
        "'x'): groups: expected either groups or independent=True",
        "'x'): x.margin: expected a number above 0, got 0",
        "'x'): x: expected values in 0…0.2, got 0.3 for id 'c'",
        "'x'): case: expected a name, got 5",
        "'x'): group: expected a name, got ''",
        "'x'): lower_is_better: expected True or False, got 'no'",
        "'x'): retrained: expected True or False, got 'no'",
        "'x'): independent: expected True or False, got 1",
        "'y'): case y: this test has two checks of this name",
        "'y'): case y: two tests have a check of this name: test_wrong.py::test_twice and test_wrong.py::test_again",
        "'y'): score y: two checks of this run define it differently: unit of y: measured 's', baseline '1'",
        "'seed'): metric: the name 'seed' is reserved by btlib",
    ):
        assert any(line.startswith(expected) for line in told), expected
    assert [record.case for record in RunStore(latest()).records()] == ["y"]


def test_a_repeated_test_replaces_its_numbers(run: Run, written: Written, latest: Callable[[], Path]):
    text = """
TRIED = []

def test_flaky(bt_gate):
    TRIED.append(1)
    values = [[0.1, 0.2], [0.3, 0.4]] if len(TRIED) == 1 else [0.5, 0.6]
    bt_gate.check("x", ids=["a", "b"], values=values, groups=["a", "b"], margin=0.1)
    assert len(TRIED) == 2
"""
    written({"test_flaky.py": text, "pytest.ini": "[pytest]\n"})
    result = run("-p", "no:cacheprovider", "--bt-baseline=none", "--reruns=1")
    assert result.ret == 0
    (record,) = RunStore(latest()).records()
    assert record.samples is not None
    assert record.samples.columns["x"] == [0.5, 0.6]


@pytest.mark.parametrize(
    "args", [(), pytest.param(("-n", "2"), marks=pytest.mark.nightly)], ids=["alone", "two workers"]
)
def test_beside_cases_of_btlib(measure: Run, written: Written, pytester: pytest.Pytester, args: tuple[str, ...]):
    """Two runs of one session, each with its folder; all checks are in one of them."""
    written({"test_numbers.py": TESTS, "test_bench.py": BENCH, "pytest.ini": "[pytest]\n"})
    result = measure(*args, "-p", "no:cacheprovider")
    assert result.ret == 0
    folders = sorted((pytester.path / "reports").iterdir())
    assert [re.sub(r"^.*-", "", folder.name) for folder in folders] == ["gate", "smoke"]
    assert len({folder.name.rpartition("-")[0] for folder in folders}) == 1
    assert [sorted({r.case for r in RunStore(folder).records()}) for folder in folders] == [
        ["seconds", "wer"],
        ["blank"],
    ]
    result.stdout.fnmatch_lines(["*btlib gate without comparison*", "*btlib smoke without comparison*"])
