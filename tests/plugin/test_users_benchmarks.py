"""Benchmarks of a user among other tests: which cases they measure, and what else is left alone."""

import re
from collections.abc import Callable, Sequence

import pytest

from btlib.gate.verdict import COULD_NOT_JUDGE

BENCH = """
import numpy as np
import pytest
from btlib.cases import Prepared, case
from btlib.types import Predictions

class Blank:
    def predict(self, images):
        return Predictions(np.zeros(images.shape, np.float32), None)

@case("blank", "nothing", has_mask=True, has_classes=False)
def prepare(work):
    return Prepared(Blank(), "given")

def test_before(): pass

def test_quality(bt_run, bt_case, bt_metric):
    assert bt_case == "blank"
    bt_run.check(bt_case, bt_metric)

def test_after(): pass
"""
"""A user's own benchmark: a case of theirs, among tests that have nothing to do with it."""


def test_a_users_benchmark_measures_the_users_cases(
    pytester: pytest.Pytester, written: Callable[..., None], measure: Callable[..., pytest.RunResult]
):
    written({"tests/test_bench.py": BENCH, "tests/test_other.py": "def test_other(): pass\n"})
    result = measure("-v", "-W", "error")
    assert result.ret == 0
    result.assert_outcomes(passed=4)
    ran = [line.split("::")[1].split(" ")[0] for line in result.outlines if "PASSED" in line]
    assert ran == ["test_before", "test_quality[smoke-blank-dice]", "test_after", "test_other"]
    assert [path.name.rpartition("-")[2] for path in (pytester.path / "reports").iterdir()] == ["smoke"]


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        (("-m", "not slow"), ["smoke"]),
        (("-m", "not full"), ["smoke"]),
        (("-m", "full"), []),  # a name of the user's own, outside a folder called benchmarks
        (("-m", "btlib_full"), ["full"]),
        (("-m", "btlib_full or not slow"), ["smoke", "full"]),
        (("-m", "not (btlib_full and slow)"), ["smoke"]),
        (("-m", "btlib_smoke and not slow"), ["smoke"]),
        (("-k", "full or quality"), ["smoke"]),
        (("tests/test_bench.py::test_quality",), ["smoke"]),
        (("tests/test_bench.py::test_before", "tests/test_bench.py"), ["smoke"]),
        (("tests/test_bench.py::test_quality[full-blank-dice]",), ["full"]),
        (
            ("tests/test_bench.py::test_quality[full-blank-dice]", "tests/test_bench.py::test_quality"),
            ["full", "smoke"],
        ),
    ],
)
def test_the_full_tier_runs_where_it_is_named_and_nowhere_else(
    written: Callable[..., None], run: Callable[..., pytest.RunResult], args: Sequence[str], ids: Sequence[str]
):
    written({"tests/test_bench.py": BENCH})
    result = run("--collect-only", "-q", *args)
    found = re.findall(r"test_quality\[(\w+)-", result.stdout.str())
    assert sorted(found) == sorted(ids)


@pytest.mark.parametrize(
    ("args", "ids"),
    [
        ((), ["smoke"]),
        (("-m", "smoke"), ["smoke"]),
        (("-m", "full"), ["full"]),
        (("-m", "not slow"), ["smoke"]),
        (("-m", "full or smoke"), ["smoke", "full"]),
    ],
)
def test_in_a_folder_of_benchmarks_the_short_names_serve(
    written: Callable[..., None], run: Callable[..., pytest.RunResult], args: Sequence[str], ids: Sequence[str]
):
    written({"benchmarks/test_bench.py": BENCH})
    result = run("--collect-only", "-q", "--strict-markers", "benchmarks", *args)
    assert sorted(re.findall(r"test_quality\[(\w+)-", result.stdout.str())) == sorted(ids)


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--fixtures", "--fixtures-per-test"])
@pytest.mark.parametrize("args", [(), ("--pyargs", "btlib.suite", "-m", "full", "-k", "quality")], ids=["own", "suite"])
def test_what_runs_nothing_reads_nothing(
    pytester: pytest.Pytester,
    written: Callable[..., None],
    run: Callable[..., pytest.RunResult],
    option: str,
    args: Sequence[str],
):
    written({"tests/test_bench.py": BENCH})
    result = run("-p", "no:cacheprovider", option, *args)
    assert result.ret == 0
    left = {path.name for path in pytester.path.iterdir() if not re.match("runpytest-|stdout|stderr", path.name)}
    assert left == {"tests"}


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ("def test_it(bt_case): pass", "no case is known here"),
        ("def test_it(bt_run, bt_case, bt_metric): pass", "no case is known here"),
        ("def test_it(bt_run): pass", "needs bt_case too"),
        ("def test_it(request): request.getfixturevalue('bt_metric')", "needs bt_case too"),
        ("@pytest.mark.btlib_cases('nowhere.py::x')\ndef test_it(bt_case): pass", "the file does not exist"),
        ("@pytest.mark.btlib_cases('Z')\ndef test_it(bt_case): pass", "unknown case 'Z'"),
        ("@pytest.mark.btlib_cases(3)\ndef test_it(bt_case): pass", "expected the name of a case as text"),
    ],
)
def test_a_fixture_without_a_case_is_one_line(
    pytester: pytest.Pytester,
    written: Callable[..., None],
    run: Callable[..., pytest.RunResult],
    test: str,
    problem: str,
):
    written({"tests/test_bench.py": f"import pytest\n{test}\ndef test_other(): pass\n"})
    result = run("-W", "error")
    outcomes = result.parseoutcomes()
    assert (outcomes.get("errors", 0) + outcomes.get("failed", 0), outcomes["passed"]) == (1, 1)
    shown = result.stdout.str()
    assert problem in shown
    assert "Traceback" not in shown
    assert "AttributeError" not in shown
    assert not (pytester.path / "reports").exists()


def test_cases_named_by_a_marker(written: Callable[..., None], run: Callable[..., pytest.RunResult]):
    test = "import pytest\n@pytest.mark.btlib_cases('cases/mine.py::blank', 'A')\ndef test_it(bt_case): pass\n"
    written({"cases/mine.py": BENCH, "tests/test_bench.py": test, "pytest.ini": "[pytest]\n"})
    result = run("--collect-only", "-q", "tests", "--strict-markers")
    assert re.findall(r"test_it\[(.*)\]", result.stdout.str()) == ["smoke-blank", "smoke-A"]
    result = run("--collect-only", "-q", "tests", "--bt-case", "A")
    assert re.findall(r"test_it\[(.*)\]", result.stdout.str()) == ["smoke-A"]


def test_a_file_that_tests_import_and_an_option_names_is_one_case(
    written: Callable[..., None], run: Callable[..., pytest.RunResult]
):
    test = "import mine\ndef test_it(bt_case): pass\n"
    written({"mine.py": BENCH, "test_bench.py": test, "pytest.ini": "[pytest]\npythonpath = .\n"})
    for args in ((), ("--bt-case", "mine.py::blank"), ("--bt-case", "mine.py::prepare")):
        result = run("--collect-only", "-q", "test_bench.py", *args)
        assert re.findall(r"test_it\[(.*)\]", result.stdout.str()) == ["smoke-blank"], args


@pytest.mark.parametrize("args", [(), pytest.param(("-n", "1"), marks=pytest.mark.nightly)], ids=["alone", "a worker"])
def test_data_that_cannot_be_opened_fails_the_benchmark_and_no_other_test(
    written: Callable[..., None], run: Callable[..., pytest.RunResult], args: Sequence[str]
):
    written({"tests/test_bench.py": BENCH, "samples/1.mat": "no sample"})
    result = run("--bt-data", "samples", "--bt-baseline=none", *args)
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == COULD_NOT_JUDGE
    assert "1.mat" in result.stdout.str()
    assert run("--bt-data", "samples", "--bt-baseline=none", "-k", "quality").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    "wrong",
    [
        "--bt-split=nowhere",
        *(
            pytest.param(option, marks=pytest.mark.nightly)
            for option in ("--bt-device=cuda", "--bt-against=Z", "--bt-baseline=nowhere", "--bt-strict")
        ),
    ],
)
def test_an_option_that_does_not_fit_fails_the_benchmark_and_no_other_test(
    written: Callable[..., None], run: Callable[..., pytest.RunResult], wrong: str
):
    if wrong == "--bt-device=cuda":
        pytest.importorskip("torch")  # without it the case's own framework has to find the device
    written({"tests/test_bench.py": BENCH})
    result = run(wrong, *(["--bt-baseline=none"] if wrong == "--bt-strict" else []))
    result.assert_outcomes(passed=2, errors=1)
    assert result.ret == COULD_NOT_JUDGE
    failing = {"tests/test_failing.py": "def test_fails(): assert 0\n"}
    written(failing)
    assert run(wrong).ret == pytest.ExitCode.TESTS_FAILED, "a test that failed is told before what could not be judged"


@pytest.mark.parametrize(
    ("metric", "ret", "message"),
    [
        ("iou", 0, ""),
        ("accuracy", COULD_NOT_JUDGE, "not measured"),
        ("dise", COULD_NOT_JUDGE, "did you mean 'dice'?"),
    ],
)
def test_a_test_may_ask_for_any_metric(
    written: Callable[..., None], measure: Callable[..., pytest.RunResult], metric: str, ret: int, message: str
):
    test = f"def test_it(bt_run, bt_case): bt_run.check(bt_case, {metric!r})\n"
    written({"tests/test_bench.py": BENCH.partition("def test_before")[0] + test})
    result = measure()
    assert result.ret == ret
    assert message in result.stdout.str()


def test_a_test_measures_the_same_cases_whatever_was_collected_before(
    written: Callable[..., None], run: Callable[..., pytest.RunResult]
):
    other = BENCH.replace("blank", "other").replace("test_quality", "test_others")
    written({"test_a.py": BENCH, "test_b.py": other, "conftest.py": BENCH.replace("blank", "shared")})
    for files in ((), ("test_b.py", "test_a.py"), ("test_b.py",), ("test_a.py::test_quality",)):
        result = run("--collect-only", "-q", *files)
        found = re.findall(r"test_(?:quality|others)\[(.*)-dice\]", result.stdout.str())
        both = {"smoke-blank", "smoke-shared"}, {"smoke-other", "smoke-shared"}
        assert {*found} == set().union(*(both if len(files) != 1 else both[files[0].startswith("test_b") :][:1]))


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("@pytest.mark.parametrize('bt_metric', ['dice'])\ndef test_it(bt_run, bt_case, bt_metric): pass", ()),
        ("@pytest.fixture\ndef bt_metric(): return 'dice'\ndef test_it(bt_run, bt_case, bt_metric): pass", ()),
        ("@pytest.mark.parametrize('size', [1, 2])\ndef test_it(bt_run, bt_case, size): pass", ("-k", "1 or other")),
        ("class TestIt:\n    def test_it(self, bt_run, bt_case): pass", ()),
    ],
)
def test_what_a_test_gives_itself_is_left_to_it(
    written: Callable[..., None], measure: Callable[..., pytest.RunResult], text: str, args: Sequence[str]
):
    test = BENCH.partition("def test_before")[0] + text + "\ndef test_other(): pass\n"
    written({"test_bench.py": test})
    result = measure("-W", "error", *args)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 2


def test_a_file_that_cannot_be_collected_leaves_no_run(
    pytester: pytest.Pytester, written: Callable[..., None], run: Callable[..., pytest.RunResult]
):
    written({"tests/test_bench.py": BENCH, "tests/test_broken.py": "def test(: pass\n"})
    assert run("--bt-baseline=none").ret == pytest.ExitCode.INTERRUPTED
    assert not (pytester.path / "reports").exists()


def test_a_folder_that_cannot_be_written_fails_the_benchmark_and_no_other_test(
    written: Callable[..., None], run: Callable[..., pytest.RunResult]
):
    written({"tests/test_bench.py": BENCH, "reports": "a file"})
    result = run("--bt-baseline=none")
    result.assert_outcomes(passed=2, errors=1)
    assert "INTERNALERROR" not in result.stdout.str()


@pytest.mark.parametrize(
    ("expression", "ret", "told"),
    [
        ("not slow", 0, ""),
        ("not full", 0, ""),
        ("slow or smoke", 0, ""),
        ("smok", pytest.ExitCode.USAGE_ERROR, "did you mean 'smoke'?"),
        ("full and slo", pytest.ExitCode.USAGE_ERROR, "unknown marker 'slo'"),
    ],
)
def test_an_unknown_marker_is_an_error_where_it_selects_nothing(
    written: Callable[..., None], run: Callable[..., pytest.RunResult], expression: str, ret: int, told: str
):
    written({"benchmarks/test_bench.py": BENCH})
    result = run("benchmarks", "--collect-only", "-q", "-m", expression)
    assert result.ret == ret
    assert told in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(
    "args",
    [pytest.param(("-n", "2"), marks=pytest.mark.nightly), ("-p", "randomly", "--randomly-seed=1"), ("--reruns", "1")],
    ids=str,
)
def test_a_users_benchmark_with_other_plugins(
    written: Callable[..., None], measure: Callable[..., pytest.RunResult], args: Sequence[str]
):
    written({"tests/test_bench.py": BENCH})
    result = measure(*args)
    assert (result.ret, result.parseoutcomes()["passed"]) == (0, 3)
    result.stdout.fnmatch_lines(["blank nothing*measured*"])


def test_without_the_plugin_other_tests_run(written: Callable[..., None], run: Callable[..., pytest.RunResult]):
    written({"tests/test_bench.py": BENCH})
    result = run("-p", "no:btlib")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'bt_run' not found*"])


@pytest.mark.parametrize(
    "test",
    [
        "@pytest.fixture\ndef bt_case(): return 7\ndef test_it(bt_case): assert bt_case == 7\n",
        "@pytest.mark.parametrize('bt_tier', ['smoke'])\ndef test_it(bt_tier): assert bt_tier == 'smoke'\n",
        "@pytest.mark.parametrize(('bt_tier', 'bt_case'), [('full', [1])])\ndef test_it(bt_tier, bt_case): pass\n",
        "@pytest.mark.parametrize('bt_tier', [[1]])\ndef test_it(bt_tier): pass\n",
    ],
)
def test_what_has_the_same_name_is_the_users_own(
    pytester: pytest.Pytester, written: Callable[..., None], run: Callable[..., pytest.RunResult], test: str
):
    written({"test_it.py": f"import pytest\n{test}"})
    run("-W", "error").assert_outcomes(passed=1)
    assert not (pytester.path / "reports").exists()


def test_a_case_without_pytorch_does_not_bring_it_in(
    written: Callable[..., None], measure: Callable[..., pytest.RunResult]
):
    check = (
        "\ndef test_last():\n    import sys\n    assert not {'torch', 'jax', 'matplotlib.pyplot'} & set(sys.modules)\n"
    )
    written({"tests/test_bench.py": BENCH + check})
    measure().assert_outcomes(passed=4)


HIDING = """

@pytest.mark.xfail
def test_marked(bt_run, bt_case, bt_metric):
    bt_run.check(bt_case, bt_metric)

def test_caught(bt_run, bt_case, bt_metric):
    try:
        bt_run.check(bt_case, bt_metric)
    except BaseException:
        pytest.skip("as if nothing had happened")

def test_caught_predictor(bt_run, bt_case):
    try:
        bt_run.predictor_of(bt_case)
    except BaseException:
        pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
@pytest.mark.parametrize("name", ["test_marked", "test_caught", "test_caught_predictor"])
def test_neither_a_mark_nor_an_except_clause_hides_a_failure(
    written: Callable[..., None], measure: Callable[..., pytest.RunResult], name: str, workers: Sequence[str]
):
    """The exit code is that of the verdict; a case that works leaves it at 0."""
    broken = BENCH.replace('return Prepared(Blank(), "given")', 'raise ValueError("broken")')
    head = broken.partition("def test_before")[0]
    written({"tests/test_bench.py": head + HIDING})
    assert measure("-k", name, *workers).ret == COULD_NOT_JUDGE
    written(
        {
            "tests/test_bench.py": head.replace('raise ValueError("broken")', 'return Prepared(Blank(), "given")')
            + HIDING
        }
    )
    assert measure("-k", name, *workers).ret == 0
