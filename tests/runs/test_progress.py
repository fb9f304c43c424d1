"""What is said while a run goes on is said rarely."""

from types import SimpleNamespace

import pytest

from btlib.runs import progress as room
from btlib.runs.progress import ProgressReporter


def test_a_line_within_ten_seconds_of_another_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    said, now = list[str](), [100.0]
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: now[0]))
    report = ProgressReporter(said.append).now_and_then()
    for at in (100.0, 109.9, 110.0, 111.0, 119.9, 125.0, 134.9, 135.0):
        now[0] = at
        report(f"{at}")
    assert said == ["110.0", "125.0", "135.0"]


def test_nobody_need_listen() -> None:
    progress = ProgressReporter()
    progress.report("epoch 1")
    assert not progress.progress_bars
    with progress.uncaptured():
        progress.report("epoch 2")
