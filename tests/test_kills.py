"""Killed at any moment, the same command ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from btlib.runs import CaseRecord, RunStore

ROOT = Path(__file__).parents[1]
KILLS = 20
ASKED = (
    *("benchmarks", "-m", "smoke", "-k", "quality and (smoke-A or smoke-C)", "-q", "-p", "no:cacheprovider"),
    *("--bt-limit=40", "--bt-image-size=32", "--bt-epochs=6", "--bt-baseline=none"),
)


def start(place: Path) -> subprocess.Popen[bytes]:
    folders = (f"--bt-output={place / 'reports'}", f"--bt-checkpoints={place / 'checkpoints'}")
    environment = {**os.environ, "BTLIB_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", *ASKED, *folders]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)


def measured(place: Path) -> dict[str, object]:
    newest = max((place / "reports").iterdir(), key=lambda path: path.name)
    records: list[CaseRecord] = RunStore(newest).records()
    return {record.case: (record.samples, record.threshold_curve) for record in records}


@pytest.mark.nightly
def test_twenty_random_kills_change_nothing(tmp_path: Path):
    pytest.importorskip("torch")
    began = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    whole = time.monotonic() - began
    rng = random.Random(37)
    for _ in range(KILLS):
        session = start(tmp_path / "killed")
        try:
            session.wait(rng.uniform(0.1, 1) * whole)
        except subprocess.TimeoutExpired:
            os.killpg(session.pid, signal.SIGKILL)
            session.wait()
    assert start(tmp_path / "killed").wait() == 0
    assert measured(tmp_path / "killed") == measured(tmp_path / "whole")
    assert [path for path in (tmp_path / "killed").rglob("*.part") if "reports" not in path.parts] == []
