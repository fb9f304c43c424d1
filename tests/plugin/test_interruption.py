"""Ctrl-C and SIGTERM: reports of what was measured are written, and the same command goes on."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from btlib.plugin.terminal import how_to_continue
from btlib.runs import RunStore

Run = Callable[..., pytest.RunResult]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_an_interrupted_session_writes_its_reports_and_the_same_command_goes_on(
    project: Run, latest: Callable[[], Path], how: str
):
    result = project("--benchmark-disable", toy2=how)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["not measured: toy2", "interrupted; to continue, repeat the command: *"])
    assert [record.case for record in RunStore(latest()).records()] == ["toy1"]
    assert (latest() / "comparison.md").is_file()


@pytest.mark.parametrize("retrain", [True, False])
def test_the_line_says_what_must_not_be_asked_for_again(retrain: bool):
    line = how_to_continue(SimpleNamespace(retrain=retrain, checkpoints=Path("models")))  # type: ignore[arg-type]
    assert ("without --bt-retrain" in line) is retrain
    assert "models" in line
