"""Whatever happens to a file: it is refused in our words, made anew, or means what it meant before.

`python -m tests.fuzz.outcomes` prints the table, by reader.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from .outcomes import OUTCOMES
from .readers import PUBLIC, READERS, WITH_TORCH

OTHERS = [name for name in (*READERS, *PUBLIC) if name not in WITH_TORCH]
FEW, MANY = 60, 1200
GROUPS = {"torch": [*WITH_TORCH], "even": OTHERS[::2], "odd": OTHERS[1::2]}
"""Readers by process: each is a fresh one, for one with many threads may not be forked."""


@pytest.mark.parametrize("inputs", [FEW, pytest.param(MANY, marks=pytest.mark.nightly)])
@pytest.mark.parametrize(
    "group",
    [pytest.param(name, marks=[pytest.mark.nightly] * (name == "torch")) for name in GROUPS],  # imports for ten seconds
)
def test_damage_is_never_read_as_something_else(group: str, inputs: int):
    names = GROUPS[group]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.outcomes", "--inputs", str(inputs), *names],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines()[2:] if line.startswith("|")]
    assert [row[0].strip() for row in rows] == names
    for row in rows:
        counts = dict(zip(OUTCOMES, map(int, row[2:]), strict=True))
        assert sum(counts.values()) == inputs
        assert counts["refused"] + counts["rebuilt"] > 0
    print(done.stdout)
