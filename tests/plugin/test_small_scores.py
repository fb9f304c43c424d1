"""A score of a few microseconds is readable wherever it is shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cli import app

LATENCY = """
import os

WORSE = float(os.environ.get("WORSE", "1"))

def check(bt_gate, case, factor):
    values = {seed: [WORSE * factor * (2e-5 + i % 9 * 1e-7 + seed * 1e-7) for i in range(60)] for seed in (1, 2, 3)}
    options = {"lower_is_better": True, "unit": "s", "independent": True, "margin": 1e-6}
    bt_gate.check("latency", case=case, ids=range(60), values=values, **options)

def test_fast(bt_gate): check(bt_gate, "fast", 1.0)

def test_slow(bt_gate): check(bt_gate, "slow", 1.2)
"""


def test_no_small_score_is_shown_as_zero(
    run: Callable[..., pytest.RunResult],
    written: Callable[[dict[str, str]], None],
    monkeypatch: pytest.MonkeyPatch,
    latest: Callable[[], Path],
):
    def cli(*args: str, code: int = 0) -> str:
        found = CliRunner().invoke(app, list(args))
        assert found.exit_code == code, found.output
        return found.output

    written({"test_latency.py": LATENCY, "pytest.ini": "[pytest]\n"})
    shown = [run("-p", "no:cacheprovider").stdout.str()]
    shown.append(cli("baseline", "accept", "latest", "--name", "gate", "--reason", "first"))
    monkeypatch.setenv("WORSE", "1.1")
    worse = run("-p", "no:cacheprovider").stdout.str()
    assert "REGRESSED" in worse
    shown += [worse, cli("baseline", "propose", "latest", "--name", "gate", code=1), cli("power", "gate")]
    shown += [cli("baseline", "spread", "latest", "--name", "gate"), cli("show", "latest")]
    shown += [path.read_text() for path in sorted(latest().glob("*.md"))]
    assert len(shown) > 8
    for text in shown:
        zeros = [line for line in text.splitlines() if "0.0000 " in line or "0.0000|" in line or "0.0000)" in line]
        assert not zeros, "\n".join(zeros)
