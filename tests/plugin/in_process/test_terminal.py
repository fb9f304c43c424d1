"""What is said while a run goes on reaches the user's terminal, rarely, and is left to it where nobody watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from btlib.errors import BtlibError
from btlib.plugin.terminal import Terminal, as_usage_error


class Reporter:
    """Notes what is written, and whether output was captured then."""

    def __init__(self, isatty: bool) -> None:
        self.isatty = isatty
        self.captured = True
        self.lines: list[tuple[str, bool]] = []

    def ensure_newline(self) -> None:
        self.lines.append(("newline", self.captured))

    def write_line(self, line: str) -> None:
        self.lines.append((line, self.captured))

    @contextmanager
    def global_and_fixture_disabled(self) -> Iterator[None]:
        self.captured = False
        yield
        self.captured = True


def session(isatty: bool = True, reporter: bool = True, capture: bool = True, worker: bool = False) -> Any:
    found = Reporter(isatty)
    plugins = {"terminalreporter": found if reporter else None, "capturemanager": found if capture else None}
    config = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=plugins.get), found=found)
    if worker:
        config.workerinput = {}
    return config


@pytest.mark.parametrize(
    ("state", "progress_bars", "writes"),
    [
        ({}, True, True),
        ({"isatty": False}, False, True),
        ({"reporter": False}, False, False),
        ({"worker": True}, False, False),
        ({"isatty": False, "worker": True}, False, False),
        ({"capture": False}, True, True),
    ],
    ids=str,
)
def test_bars_are_for_who_watches_and_lines_for_who_reads(
    state: dict[str, bool], progress_bars: bool, writes: bool
) -> None:
    config = session(**state)
    terminal, captured = Terminal(config), not state.get("capture", True)
    assert terminal.progress_bars is progress_bars
    terminal.report("epoch 1")
    assert config.found.lines == ([("newline", captured), ("epoch 1", captured)] if writes else [])
    with terminal.uncaptured():
        assert config.found.captured is not (progress_bars and not captured)
    assert config.found.captured


@pytest.mark.parametrize("progress_bars", [True, False])
def test_a_run_tells_the_terminal_of_its_progress(progress_bars: bool) -> None:
    config = session(isatty=progress_bars)
    progress = Terminal(config).progress()
    assert progress.progress_bars is progress_bars
    progress.report("epoch 1")
    assert config.found.lines == [("newline", False), ("epoch 1", False)]
    with progress.uncaptured():
        assert config.found.captured is not progress_bars


def test_a_deliberate_error_is_the_users_to_correct() -> None:
    with pytest.raises(pytest.UsageError, match=r"^where: wrong"), as_usage_error():
        raise BtlibError("wrong", where="where")
    with pytest.raises(ZeroDivisionError), as_usage_error():
        raise ZeroDivisionError
