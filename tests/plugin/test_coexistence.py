"""Other people's tests where btlib is installed: the same outcomes, in the same order, as without the plugin."""

import re
from collections.abc import Callable, Sequence

import pytest

STUDIES = ("smoke", "full", "performance", "controls", "statistics")

PLAIN = {
    "test_marked.py": "import pytest\n"
    + "".join(f"@pytest.mark.{name}\ndef test_{name}(): pass\n" for name in (*STUDIES, "slow"))
    + "@pytest.mark.full\n@pytest.mark.slow\ndef test_full_and_slow(): pass\ndef test_plain(): pass\n",
    "test_outcomes.py": """
import unittest, warnings
import pytest

@pytest.mark.parametrize("tier", ["smoke", "full"])
@pytest.mark.parametrize("case", ["A", "B"])
def test_parametrised(tier, case): assert (tier, case) != ("full", "B")

def test_skipped(): pytest.skip("no")
@pytest.mark.xfail(strict=True)
def test_expected(): assert 0
def test_warns(): warnings.warn("careful", UserWarning)
@pytest.fixture
def broken(): raise RuntimeError("in a fixture")
def test_error(broken): pass

class TestUnit(unittest.TestCase):
    def test_method(self): self.assertTrue(True)
""",
    "test_flaky.py": """
from pathlib import Path

def test_fails_once(tmp_path_factory):
    seen = Path("seen.txt")
    seen.write_text(seen.read_text() + "x" if seen.exists() else "x")
    assert len(seen.read_text()) > 1
""",
    "module.py": '"""\n>>> 1 + 1\n2\n"""\n',
    "pytest.ini": "[pytest]\nmarkers =\n    smoke: ours\n    full: ours\n    performance: ours\n    controls: ours\n"
    "    statistics: ours\n    slow: ours\n",
    "conftest.py": "def pytest_collection_modifyitems(items):\n    items.sort(key=lambda i: i.name, reverse=True)\n",
}
"""A project that has never heard of btlib, and marks its tests with btlib's words."""

SESSIONS: dict[str, Sequence[str]] = {
    "no options": (),
    "strict": ("--strict-markers", "--strict-config"),
    "warnings are errors": ("-W", "error"),
    **{f"-m {name}": ("-m", name) for name in ("smoke", "full", "not slow", "not full or slow", "typo")},
    "-k full": ("-k", "full"),
    "a node id": ("test_marked.py::test_full", "test_outcomes.py::TestUnit::test_method"),
    "a parametrised node id": ("test_outcomes.py::test_parametrised[B-full]",),
    "two processes": ("-n", "2"),
    "two processes by file": ("-n", "2", "--dist", "loadfile", "-m", "full"),
    "shuffled": ("-p", "randomly", "-p", "no:cacheprovider", "--randomly-seed=3"),
    "reruns": ("--reruns", "1", "test_flaky.py"),
    "doctests": ("--doctest-modules",),
    "the first failure ends it": ("-x", "test_outcomes.py"),
    "collected": ("--collect-only", "-q"),
    "planned": ("--setup-plan",),
    "nothing there": ("-k", "no_such_test"),
}


WAIT = {
    *(
        "strict",
        "-m not slow",
        "-m typo",
        "-k full",
        "a parametrised node id",
        "two processes",
        "two processes by file",
        "doctests",
    ),
    *("the first failure ends it", "collected", "nothing there"),
}
"""Those of them that run by night."""


def told(result: pytest.RunResult) -> list[str]:
    """All that a session prints but times and the names of processes, which finish in any order."""
    lines = [re.sub(r"\d+\.\d+s|gw\d|0x[0-9a-f]+", "·", line) for line in result.outlines]
    lines = [line for line in lines if not re.match(r"plugins: |.*workers? \[|\S+ \[|bringing up|created:", line)]
    return sorted(lines) if any("·" in line and "node" in line for line in lines) else lines


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize(
    "args",
    [pytest.param(args, id=name, marks=[pytest.mark.nightly] * (name in WAIT)) for name, args in SESSIONS.items()],
)
def test_a_session_without_benchmarks_is_the_same_with_and_without(
    pytester: pytest.Pytester, written: Callable[..., None], run: Callable[..., pytest.RunResult], args: Sequence[str]
):
    def session(*more: str) -> tuple[object, ...]:
        (pytester.path / "seen.txt").unlink(missing_ok=True)
        result = run("-v", "-rA", *args, *more)
        outcomes = sorted(line for line in result.outlines if re.match(r"(PASSED|FAILED|ERROR|SKIPPED|XFAIL) ", line))
        printed = [] if "-n" in args else told(result)
        return result.ret, result.parseoutcomes() if "passed" in str(result.outlines) else {}, outcomes, printed

    written(PLAIN)
    without, with_it = session("-p", "no:btlib"), session()
    assert with_it == without
    assert not {"reports", "checkpoints", "baselines", "cache-of-btlib"} & {
        path.name for path in pytester.path.iterdir()
    }
