"""Damage, read, and see what comes of it, in a process that may crash or hang.

`python -m tests.fuzz.outcomes` prints a table.
"""

import argparse
import importlib
import multiprocessing
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from btlib.errors import BtlibError

from .damage import damaged
from .readers import PUBLIC, READERS, WITH_TORCH, Reader, quiet

OUTCOMES = ("refused", "rebuilt", "same value", "silent change", "foreign exception", "hang", "crash")
BAD = {"silent change", "foreign exception", "hang", "crash"}
_SECONDS = 30
USED = (
    "btlib.data",
    "btlib.runs",
    "btlib.cases",
    "btlib.gate",
    "h5py",
    "scipy.io",
    "scipy.stats",
    "scipy.ndimage",
)
"""What readers import."""

Found = tuple[int, str, str]
"""Seed, outcome, and what happened in words."""


def run(reader: Reader, seeds: Sequence[int]) -> Iterator[Found]:
    """The outcome of each seed; a process that dies is started again behind the seed that killed it."""
    left = list(seeds)
    while left:
        receive, send = multiprocessing.Pipe(duplex=False)
        context: Any = multiprocessing.get_context("fork")
        child = context.Process(target=_child, args=(reader, left, send))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads of this process do not matter to it
            child.start()
        send.close()
        done: list[Found] = []
        try:
            ready = receive.recv()
        except EOFError as error:
            raise RuntimeError("sound files cannot be made or read: look for its traceback on stderr") from error
        assert ready == "ready"
        try:
            while receive.poll(_SECONDS):
                done.append(receive.recv())
                yield done[-1]
            child.kill()
            failed = "hang"
        except EOFError:
            failed = "crash"
        child.join()
        receive.close()
        left = left[len(done) :]
        if left:
            yield left.pop(0), failed, f"exit code {child.exitcode}"


def _child(reader: Reader, seeds: Sequence[int], send: Any) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        (place / "made").mkdir()
        paths = reader.make(place / "made")
        sound = {path.relative_to(place / "made"): path.read_bytes() for path in _files(place / "made")}
        names = [path.relative_to(place / "made") for path in paths]
        expected, _ = quiet(reader.read, place / "made")
        send.send("ready")
        for seed in seeds:
            _restore(place / "made", sound)
            send.send((seed, *_outcome(reader, place / "made", names, sound, seed, expected)))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _outcome(
    reader: Reader, folder: Path, names: Sequence[Path], sound: dict[Path, bytes], seed: int, expected: str
) -> tuple[str, str]:
    name = names[seed // 11 % len(names)]
    kind, content = damaged(sound[name], seed)
    if content == sound[name]:
        return "same value", "nothing was changed"
    (folder / name).write_bytes(content)
    told = f"{kind} in {name}"
    try:
        value, warned = quiet(reader.read, folder)
    except BtlibError:
        return "refused", told
    except Exception as error:
        return "foreign exception", f"{told}: {type(error).__name__}: {error}"
    if value == expected:
        return ("rebuilt" if warned and reader.rebuilds else "same value"), told
    if reader.rebuilds and warned and value == "none":
        return "rebuilt", told
    return "silent change", told


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]


def _restore(folder: Path, sound: dict[Path, bytes]) -> None:
    shutil.rmtree(folder)
    for name, content in sound.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def line(name: str, found: Sequence[Found]) -> str:
    """A row of the table."""
    counts = Counter(outcome for _, outcome, _ in found)
    return f"| {name} | {len(found)} | " + " | ".join(str(counts[outcome]) for outcome in OUTCOMES) + " |"


def main() -> int:
    """Print the table, and whatever should not have happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000, help="for each reader")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("readers", nargs="*", default=[*READERS, *PUBLIC], help="default: all")
    options = parser.parse_args()
    print(f"| reader | inputs | {' | '.join(OUTCOMES)} |\n|{'---|' * (len(OUTCOMES) + 2)}")
    bad: list[str] = []
    for module in (*USED, *(["btlib.thesis.checkpoints"] if {*options.readers} & {*WITH_TORCH} else [])):
        importlib.import_module(module)  # once, and not in each reader's process
    for name in options.readers:
        found = list(run((READERS | PUBLIC)[name], range(options.first, options.first + options.inputs)))
        known = {"silent change"} if name in PUBLIC else set()
        bad += [f"{name}, seed {seed}: {outcome}: {told}" for seed, outcome, told in found if outcome in BAD - known]
        print(line(name, found), flush=True)
    print("\n".join(bad))
    return int(bool(bad))


if __name__ == "__main__":
    np.seterr(all="ignore")
    sys.exit(main())
