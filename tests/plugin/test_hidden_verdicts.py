"""A mark, a skip or an `except` clause hides no verdict, and a test without a check is visible."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cli import app

from .test_users_benchmarks import BENCH

Run = Callable[..., pytest.RunResult]
Written = Callable[[dict[str, str]], None]

MARKED = """
import pytest

@pytest.mark.btlib_smoke
@pytest.mark.xfail
def test_hidden(bt_run, bt_case, bt_metric):
    bt_run.check(bt_case, bt_metric)
"""

CAUGHT = """
import pytest

def test_hidden(bt_run, bt_case, bt_metric):
    try:
        bt_run.check(bt_case, bt_metric)
    except BaseException:
        pytest.skip("not today")
"""


@pytest.mark.parametrize(
    ("text", "args"),
    [
        (MARKED, ()),
        (CAUGHT, ()),
        pytest.param(CAUGHT, ("-n", "2"), marks=pytest.mark.nightly),
    ],
    ids=["xfail", "except", "workers"],
)
def test_a_hidden_regression_fails_the_session(accepted: Run, written: Written, text: str, args: tuple[str, ...]):
    written({"benchmarks/test_hidden.py": text})
    assert accepted("--benchmark-disable", *args, select="hidden", toy1="bad").ret == 1
    good = accepted("--benchmark-disable", *args, select="hidden and toy2", toy1="bad")
    assert good.ret == 0, "only verdicts that an item asked for count"


REPEATED = """
TRIED = []

def test_repeated(bt_run, bt_case):
    TRIED.append(1)
    bt_run.check(bt_case, "dice" if len(TRIED) > 1 else "nonsense")
"""

ERROR = """
@pytest.mark.xfail
def test_unknown(bt_run, bt_case):
    bt_run.check(bt_case, "nonsense")
"""


def test_a_repeated_test_counts_with_its_last_attempt(written: Written, measure: Run):
    written({"test_bench.py": BENCH + REPEATED + ERROR})
    repeated = measure("--reruns=1", "-k", "repeated")
    assert repeated.ret == 0
    assert repeated.parseoutcomes()["rerun"] == 1
    assert measure("-k", "unknown").ret == 7, "a hidden error is no pass"


GATE = """
import os
import pytest

def check(bt_gate):
    ids = [f"u{i}" for i in range(40)]
    bt_gate.check("wer", ids=ids, values=[0.1 + i / 1000 for i in range(40)], independent=True, margin=0.01)

def test_wer(bt_gate):
    if os.environ.get("SKIP") == "skip":
        pytest.skip("not today")
    if os.environ.get("SKIP") == "fail":
        raise AssertionError("before the check")
    if not os.environ.get("SKIP"):
        check(bt_gate)

@pytest.fixture
def bt_other():
    return 1

def test_other(bt_other): pass
"""


@pytest.mark.parametrize("how", ["skip", "nothing"])
def test_a_test_without_a_check_is_visible(
    run: Run, written: Written, monkeypatch: pytest.MonkeyPatch, latest: Callable[[], Path], how: str
):
    written({"test_gate.py": GATE, "pytest.ini": "[pytest]\n"})
    run("-p", "no:cacheprovider")
    accepted = CliRunner().invoke(app, ["baseline", "accept", "latest", "--name", "gate", "--reason", "first"])
    assert accepted.exit_code == 0, accepted.output
    assert run("-p", "no:cacheprovider", "--bt-strict").ret == 0
    monkeypatch.setenv("SKIP", how)
    lenient = run("-p", "no:cacheprovider")
    assert lenient.ret == 0
    lenient.stdout.fnmatch_lines(["*test_gate.py::test_wer has the fixture bt_gate and checked nothing*"])
    strict = run("-p", "no:cacheprovider", "--bt-strict")
    assert strict.ret == 7
    strict.stdout.fnmatch_lines(["*checked nothing*", "not measured: wer"])
    assert run("-p", "no:cacheprovider", "--bt-strict", "-k", "other").ret == 0, "no test of bt_gate was selected"
    monkeypatch.setenv("SKIP", "fail")
    failed = run("-p", "no:cacheprovider")
    assert failed.ret == 1
    failed.stdout.no_fnmatch_line("*checked nothing*")


MARGINS = """
import os

IDS = [f"u{i}" for i in range(60)]
LOSS = float(os.environ.get("LOSS", "0"))

def check(bt_gate, case, margin):
    values = [0.5 + i % 7 / 100 - LOSS - (LOSS > 0) * (i % 5) / 1e4 for i in range(60)]
    bt_gate.check("m", case=case, ids=IDS, values=values, independent=True, margin=margin)

def test_men(bt_gate): check(bt_gate, "men", 0.5)

def test_women(bt_gate): check(bt_gate, "women", 0.04)
"""


def test_checks_of_one_score_may_have_different_margins(run: Run, written: Written, monkeypatch: pytest.MonkeyPatch):
    written({"test_margins.py": MARGINS, "pytest.ini": "[pytest]\n"})
    run("-p", "no:cacheprovider")
    accepted = CliRunner().invoke(app, ["baseline", "accept", "latest", "--name", "gate", "--reason", "first"])
    assert accepted.exit_code == 0, accepted.output
    assert run("-p", "no:cacheprovider").ret == 0
    monkeypatch.setenv("LOSS", "0.2")
    worse = run("-p", "no:cacheprovider")
    worse.assert_outcomes(passed=1, failed=1)
    worse.stdout.fnmatch_lines(["case women, m: REGRESSED", "*margin 0.04*"])
