"""The end of a session: its exit code, and the summary of a run from what it left behind."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from btlib import hooks
from btlib.api import closing
from btlib.api.benchmark_run import BenchmarkRun
from btlib.api.closing import close, exit_status
from btlib.data.sources.tasks import FIGSHARE
from btlib.errors import BtlibError, BtlibWarning
from btlib.gate.judgement import Judgement
from btlib.gate.verdict import COULD_NOT_JUDGE, FELL_SHORT
from btlib.reporting import html
from btlib.reporting.text import PHANTOM_NOTE
from btlib.runs import RunStore, Speed, Timing

from .toys import Toys

MakeRun = Callable[..., BenchmarkRun]
Left = Callable[..., BenchmarkRun]
USAGE = int(pytest.ExitCode.USAGE_ERROR)


@pytest.mark.parametrize(
    ("status", "failures", "hidden", "expected"),
    [
        (0, [], ["regressed"], FELL_SHORT),
        (0, [], ["error"], COULD_NOT_JUDGE),
        (0, [None], ["error"], COULD_NOT_JUDGE),  # what failed passed when it was run again
        (1, ["error"], ["error", "regressed"], FELL_SHORT),
        (1, ["error"], ["error"], COULD_NOT_JUDGE),
        (1, [None], ["error"], FELL_SHORT),
        (2, [], ["regressed"], 2),
    ],
)
def test_a_hidden_verdict_counts(status: int, failures: list[str | None], hidden: list[str], expected: int) -> None:
    assert exit_status(status, failures, False, hidden) == expected


@pytest.mark.parametrize(
    ("status", "failures", "incomplete", "expected"),
    [
        (0, [], False, 0),
        (0, [], True, COULD_NOT_JUDGE),
        (0, ["error"], False, 0),  # passed when it was run again
        (1, ["regressed"], False, FELL_SHORT),
        (1, ["inconclusive"], False, FELL_SHORT),  # where the user is strict
        (1, ["error", "regressed"], False, FELL_SHORT),
        (1, ["regressed", "error"], True, FELL_SHORT),
        (1, [None], False, FELL_SHORT),  # a test that is none of btlib's
        (1, [None, "error"], False, FELL_SHORT),
        (1, ["error", None], True, FELL_SHORT),
        (1, [], False, FELL_SHORT),
        (1, [], True, FELL_SHORT),
        *((1, [status], False, COULD_NOT_JUDGE) for status in ("error", "out-of-memory", "timeout")),
        *((1, [status], True, COULD_NOT_JUDGE) for status in ("missing-baseline", "not-comparable")),
        (1, ["error", "timeout", "not-comparable"], False, COULD_NOT_JUDGE),
        (2, ["error"], True, 2),  # interrupted
        (USAGE, [], True, USAGE),
        (5, [], True, 5),
    ],
)
def test_the_exit_code(status: int, failures: list[str | None], incomplete: bool, expected: int) -> None:
    assert exit_status(status, failures, incomplete) == expected


@pytest.fixture
def left(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> Left:
    """A run of which one case was executed, and others were to be."""
    monkeypatch.setattr(closing, "_page", lambda folder: ["report:       page"])

    def run(of: tuple[str, ...] = ("toy1",), **changes: Any) -> BenchmarkRun:
        made = make_run({"cases": dict.fromkeys(of, frozenset())})
        made.result("toy1")
        made.store.save_info(made.store.info().model_copy(update={"data": "18 samples", **changes}))
        return made

    return run


def test_a_run_ends_with_its_summary(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    run = left()
    monkeypatch.setattr(closing, "time", SimpleNamespace(perf_counter=lambda: 30.0))
    summary = close(run.store.path, began=10.0)
    folder = run.store.path
    assert (summary.title, summary.missing) == ("btlib smoke without comparison", ())
    assert summary.lines[:3] == ["18 samples", PHANTOM_NOTE, ""]
    (row,) = (line for line in summary.lines if line.startswith("toy1"))
    assert "measured" in row
    at = summary.lines.index(f"comparison:   {folder / 'comparison.md'}")
    assert summary.lines[at - 1] == ""
    assert summary.lines[at + 1 :][:-1] == ["report:       page"], "one case alone is compared with no other"
    assert summary.lines[-1].startswith("time:         20 s: data 5.0 %, ")
    assert (folder / "comparison.md").is_file()


def test_what_was_not_measured_is_named(left: Left, cases: Toys) -> None:
    cases.add("late")
    run = left(("toy2", "toy1", "late"), task=FIGSHARE, baseline="/somewhere/mine.json")
    summary = close(run.store.path)
    assert (summary.title, summary.missing) == ("btlib smoke compared with mine", ("toy2", "late"))
    assert summary.lines[:2] == ["18 samples", ""]
    at = summary.lines.index("not measured: toy2, late")
    assert summary.lines[at - 1] == ""
    assert not any(line.startswith("time:") for line in summary.lines), "its time was shared with others"


def test_a_run_of_nothing(left: Left) -> None:
    run = left()
    for path in run.store.record_paths():
        path.unlink()
    lines = close(run.store.path).lines
    assert lines[:5] == ["18 samples", PHANTOM_NOTE, "", "no case was run", ""]
    assert "not measured: toy1" in lines


def test_cases_that_failed_are_no_part_of_the_comparison_between_cases(
    left: Left, cases: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases.add("bad", RuntimeError("out of luck"))
    run = left(("toy1", "bad", "toy2"))
    run.result("bad")
    run.result("toy2")
    write = Mock(return_value=run.store.path / "significance.md")
    monkeypatch.setattr(closing, "write_significance", write)
    assert f"significance: {write.return_value}" in close(run.store.path).lines
    (results, folder) = write.call_args.args
    assert ([result.case for result in results], folder) == (["toy1", "toy2"], run.store.path)
    write.side_effect = BtlibError("too few")
    assert closing._significance(run.store, run.store.path) == ["significance: not written: too few"]
    write.side_effect, write.return_value = None, None
    assert closing._significance(run.store, run.store.path) == []


def test_speed_is_reported_where_it_was_measured(left: Left) -> None:
    run = left()
    timing = Timing(images=1, seconds=[0.01] * 4, reference="other", reference_seconds=[0.02] * 4)
    speed = Speed(case="toy1", figures={"inference, batch 1": timing})
    record = run.first_record("toy1")
    run.store.save_record(record.model_copy(update={"speed": speed}))
    lines = close(run.store.path).lines
    path = f"speed:        {run.store.path / 'speed.md'}"
    assert lines[lines.index(path) + 1] == "report:       page"
    run.store.save_record(record.model_copy(update={"speed": speed.model_copy(update={"noise": timing})}))
    first, noise = closing._speed(run.store, run.store.path)
    assert first == path
    assert noise.startswith("Noise floor: the reference, compared with itself, is 2.")


def test_the_title_is_the_users(left: Left) -> None:
    assert close(left(name="a trial").store.path).title == "btlib a trial (smoke) without comparison"


def test_who_wants_to_know_is_told_the_judgement_once(left: Left) -> None:
    told = list[tuple[RunStore, Judgement]]()

    class Exports:
        @hooks.hookimpl
        def btlib_run_judged(self, store: RunStore, judgement: Judgement) -> None:
            told.append((store, judgement))

    class Fails:
        @hooks.hookimpl
        def btlib_run_judged(self) -> None:
            raise RuntimeError("no such place")

    plugins = Exports(), Fails()
    for one in plugins:
        hooks.manager().register(one)
    try:
        run = left()
        with pytest.warns(BtlibWarning, match="btlib_run_judged failed: RuntimeError: no such place"):
            summary = close(run.store.path)
    finally:
        for one in plugins:
            hooks.manager().unregister(one)
    assert told == [(RunStore(run.store.path), summary.judgement)]
    assert [(v.case, v.metric, v.status) for v in summary.judgement.verdicts] == [
        ("toy1", "dice", "measured"),
        ("toy1", "accuracy", "measured"),
    ]


def test_a_page_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write = Mock(return_value=tmp_path / "index.html")
    monkeypatch.setattr(html, "write_report", write)
    assert closing._page(tmp_path) == [f"report:       {tmp_path / 'index.html'}"]
    write.assert_called_once_with(tmp_path)
    write.side_effect = BtlibError("no samples")
    assert closing._page(tmp_path) == ["report: not written: no samples"]
