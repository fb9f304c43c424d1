"""Mutation testing by mutmut: another share of all mutants each night, and the score of each room.

A mutant is tested by the tests that call its function: first those of its room, then the fastest, until the total time
is SECONDS. Other tests might detect it, too, so a score is a lower bound.

The script prints the surviving mutants with their changes. The exit code is 1 if the score of a room is significantly
below its goal: the upper bound of its 95 % interval (Wilson, doi:10.1080/01621459.1927.10502953) is below the goal.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[1]
MUTMUT = ROOT / ".venv" / "bin" / "mutmut"
GOALS = {
    **dict.fromkeys(("metrics", "stats", "splits", "evaluation", "gate", "runs", "thesis/checkpoints", "cases"), 0.90),
    **dict.fromkeys(("plugin", "reporting", "thesis/training", "data", "adapters", "engines"), 0.75),
}
"""Room → smallest share of mutants that the tests must detect."""
NOTICED = {"killed", "timeout", "segfault", "suspicious"}
STATS = ROOT / "mutants" / "mutmut-stats.json"
"""File of mutmut with the tests that call each function, and the duration of each test."""
SECONDS = 6.0
"""Total time limit for the tests of one mutant, in seconds."""


def mutmut(*args: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut on the checkout and capture its output."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run([MUTMUT, *args], capture_output=True, text=True, cwd=ROOT, env=environment, check=False)


def mutants() -> list[str]:
    """Return the names of all generated mutants."""
    files = (ROOT / "mutants" / "btlib").rglob("*.meta")
    return sorted(name for file in files for name in json.loads(file.read_text())["exit_code_by_key"])


def room_of(mutant: str) -> str:
    """Return the folder below `btlib` of a mutant; of the thesis, the folder below that."""
    _, *names = mutant.split(".")
    return "/".join(names[:2] if names[0] == "thesis" else names[:1])


@contextmanager
def fewer_tests() -> Iterator[None]:
    """Limit the tests of each function to SECONDS inside this context."""
    original = STATS.read_text()
    stats = json.loads(original)
    seconds = stats["duration_by_test"]
    for function, tests in stats["tests_by_mangled_function_name"].items():
        room = f"tests/{room_of(function)}/"
        total, selected = 0.0, []
        for test in sorted(tests, key=lambda name: (not name.startswith(room), seconds[name])):
            total += seconds[test]
            if selected and total > SECONDS:
                break
            selected.append(test)
        stats["tests_by_mangled_function_name"][function] = selected
    STATS.write_text(json.dumps(stats))
    try:
        yield
    finally:
        STATS.write_text(original)


def results(chosen: set[str]) -> dict[str, str]:
    """Return mutant → "killed", "survived", "no tests" and so on."""
    lines = mutmut("results", "--all", "true").stdout.splitlines()
    found = dict(re.fullmatch(r"\s*(\S+): (.+)", line).groups() for line in lines if ": " in line)
    return {name: found[name] for name in sorted(chosen)}


def main() -> int:
    """Generate mutants, choose a share, run their tests, and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=int, default=32, help="test one of this many mutants (default: %(default)s)")
    parser.add_argument(
        "--night",
        type=int,
        default=int(time.time() // 86400),
        help="number of the share (default: derived from the date)",
    )
    parser.add_argument("--rooms", nargs="*", default=sorted(GOALS), help="folders of btlib (default: all with a goal)")
    options = parser.parse_args()
    first = mutmut(
        "run", "*.x_make_split"
    )  # generates mutants and records which tests call each function, but tests no mutant
    names = [name for name in mutants() if room_of(name) in options.rooms]
    chosen = {name for name in names if crc32(name.encode()) % options.share == options.night % options.share}
    if not chosen:
        print(first.stdout[-3000:], first.stderr[-3000:], sep="\n")
        return 1
    print(
        f"{len(chosen)} of {len(names)} mutants: part {options.night % options.share + 1} of {options.share}",
        flush=True,
    )
    with fewer_tests():
        done = mutmut("run", *sorted(chosen))
    status = results(chosen)
    if "not checked" in status.values():
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
        return 1
    missed = [name for name in status if status[name] not in NOTICED]
    for name in missed:
        changed = [line for line in mutmut("show", name).stdout.splitlines() if re.match(r"[-+](?![-+])", line)]
        print(f"\n{status[name]}: {name}", *changed, sep="\n")
    return summary(status)


def summary(status: dict[str, str]) -> int:
    """Print the score of each room; return 1 if a room is below its goal, else 0."""
    rooms: dict[str, Counter[str]] = defaultdict(Counter)
    for name, outcome in status.items():
        rooms[room_of(name)][outcome] += 1
    short = False
    print(f"\n{'room':18} {'mutants':>8} {'noticed':>8} {'score':>7} {'goal':>6}")
    for room, outcomes in sorted(rooms.items()):
        noticed = sum(outcomes[name] for name in NOTICED)
        score = noticed / outcomes.total()
        short |= binomtest(noticed, outcomes.total()).proportion_ci(method="wilson").high < GOALS[room]
        print(f"{room:18} {outcomes.total():8} {noticed:8} {score:7.1%} {GOALS[room]:6.0%}")
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
