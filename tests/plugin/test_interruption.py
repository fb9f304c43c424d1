"""Ctrl-C and SIGTERM: reports of what was measured are written, and the same command goes on."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from btlib.plugin import interruption
from btlib.runs import RunStore

Run = Callable[..., pytest.RunResult]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_an_interrupted_session_writes_its_reports_and_the_same_command_goes_on(
    project: Run, latest: Callable[[], Path], how: str
):
    result = project("--benchmark-disable", toy2=how)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["not measured: toy2", "interrupted. To resume, run the same command: *"])
    assert [record.case for record in RunStore(latest()).records()] == ["toy1"]
    assert (latest() / "comparison.md").is_file()


@pytest.fixture
def config() -> Any:
    return SimpleNamespace(stash=pytest.Stash())


def test_sigterm_is_heard_while_the_session_lasts_and_only_once(config: Any):
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        interruption.listen(config)
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # while the reports are written
        interruption.stop_listening(config)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        interruption.stop_listening(config)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_of_the_program_s_own_stays(config: Any):
    before = signal.signal(signal.SIGTERM, own := lambda *_: None)
    try:
        interruption.listen(config)
        assert signal.getsignal(signal.SIGTERM) is own
        interruption.stop_listening(config)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_is_changed(config: Any):
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=interruption.listen, args=(config,))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("retrain", [True, False])
def test_the_line_says_what_must_not_be_asked_for_again(retrain: bool):
    line = interruption.how_to_go_on(SimpleNamespace(retrain=retrain, checkpoints=Path("models")))  # type: ignore[arg-type]
    assert ("without --bt-retrain" in line) is retrain
    assert "models" in line
