"""A conftest.py may implement btlib's hooks: they are called in its session, and in no other."""

from collections.abc import Callable

import pytest

from btlib import hooks
from btlib.runs import RunStore

from .test_users_benchmarks import BENCH

Run = Callable[..., pytest.RunResult]
Written = Callable[[dict[str, str]], None]

CONFTEST = """
from pathlib import Path

from btlib.hooks import hookimpl


def note(line):
    with (Path(__file__).parent / "told.txt").open("a") as file:
        print(line, file=file)


@hookimpl
def btlib_record_written(store, record):
    note(f"record {record.case} {record.outcome} {store.record_path(record.cell).exists()}")


@hookimpl
def btlib_run_judged(store, judgement):
    verdicts = [(verdict.case, verdict.metric, verdict.status) for verdict in judgement.verdicts]
    note(f"judged {store.path.name} {verdicts} {(store.path / 'judgement.json').exists()}")
"""


@pytest.mark.parametrize(
    "args", [(), pytest.param(("-n", "2"), marks=pytest.mark.nightly)], ids=["alone", "two workers"]
)
def test_a_conftest_is_told_of_records_and_of_the_judgement(
    pytester: pytest.Pytester, written: Written, measure: Run, args: tuple[str, ...]
):
    written({"tests/test_bench.py": BENCH, "tests/conftest.py": CONFTEST, "pytest.ini": "[pytest]\n"})
    assert measure(*args, "-W", "error").ret == 0
    (folder,) = (pytester.path / "reports").iterdir()
    assert (pytester.path / "tests/told.txt").read_text().splitlines() == [
        "record blank done True",
        f"judged {folder.name} [('blank', 'dice', 'measured')] True",
    ], "each once"


def test_several_files_called_conftest(pytester: pytest.Pytester, written: Written, measure: Run):
    written(
        {
            "conftest.py": CONFTEST,
            "tests/conftest.py": CONFTEST,
            "tests/test_bench.py": BENCH,
            "other/conftest.py": CONFTEST,
            "other/test_other.py": "def test_other(): pass\n",
        }
    )
    assert measure("-W", "error").ret == 0
    for place in ("", "tests/", "other/"):
        assert (pytester.path / f"{place}told.txt").read_text().count("judged ") == 1


def test_a_hook_that_raises_is_warned_of_and_costs_nothing_else(
    pytester: pytest.Pytester, written: Written, measure: Run
):
    raising = CONFTEST.replace('    note(f"record', "    raise RuntimeError('no such place')\n    note(f\"record")
    written({"tests/test_bench.py": BENCH, "tests/conftest.py": raising})
    result = measure()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*conftest.py: its hook btlib_record_written failed: RuntimeError: no such place*"])
    (folder,) = (pytester.path / "reports").iterdir()
    assert [record.outcome for record in RunStore(folder).records()] == ["done"]
    assert "judged" in (pytester.path / "tests/told.txt").read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def btlib_run_judged(nope): pass", "*conftest.py: Plugin *\n*btlib_run_judged(nope)"),
        ("def btlib_options(): return []", "*conftest.py: btlib_options: options are read before this file*"),
    ],
)
def test_a_hook_that_cannot_be_called_is_the_users_to_correct(written: Written, run: Run, text: str, told: str):
    written(
        {"conftest.py": f"from btlib.hooks import hookimpl\n@hookimpl\n{text}\n", "test_a.py": "def test(): pass\n"}
    )
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(told.splitlines())
    assert "Traceback" not in result.stderr.str()


def test_hooks_of_a_conftest_are_forgotten_after_its_session(pytester: pytest.Pytester):
    before = set(hooks.manager().get_plugins())
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        "from pathlib import Path\nfrom btlib import hooks\n\n"
        "def test_known():\n    hooks.notify('btlib_run_judged', store=Path('x'), judgement=None)\n"
        f"    assert len(hooks.manager().get_plugins()) == {len(before) + 1}\n"
    )
    pytester.runpytest_inprocess("-p", "no:benchmark", "-p", "no:randomly", "-W", "ignore").assert_outcomes(passed=1)
    assert set(hooks.manager().get_plugins()) == before
    hooks.notify("btlib_run_judged", store=None, judgement=None)  # a conftest's that is still known would be warned of
