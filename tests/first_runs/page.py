"""Follow a page of the documentation in an empty folder: python tests/first_runs/page.py docs/first-run.md FOLDER.

Commands of the `console` blocks are run in a shell, one after the other, with the PATH of this process; the lines below
a command must appear in its output in this order ("…" stands for anything), and "exit code N" states another exit code
than 0. A `diff` block changes the file that its first line names. Blocks of other languages are not run: the
installation is that of the caller. Only the standard library is used, so that the script runs in any environment.
"""

import fnmatch
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_BLOCK = re.compile(r"^```(console|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class PageError(Exception):
    """A command of the page does not do what the page says."""


def follow(page: Path, folder: Path) -> Iterator[tuple[str, float]]:
    """Run the blocks of a page in a folder. Yields each command and its seconds.

    Raises:
        PageError: An output, an exit code or a file is not as the page says.
    """
    for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "diff":
            change(text, folder)
            continue
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            began = time.perf_counter()
            run(command, lines, folder)
            yield command, time.perf_counter() - began


def run(command: str, lines: list[str], folder: Path) -> str:
    """Run a command in a folder and compare its output and exit code with lines of a page; returns the output."""
    done = subprocess.run(
        command, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    expected = lines if any(line.startswith("exit code") for line in lines) else [*lines, "exit code 0"]
    found = iter([_plain(line) for line in [*done.stdout.splitlines(), f"exit code {done.returncode}"]])
    for line in expected:
        pattern = _plain(line).replace("[", "[[]").replace("…", "*")
        if not any(fnmatch.fnmatchcase(one, pattern) for one in found):
            raise PageError(f"$ {command}\n{done.stdout}exit code {done.returncode}\nexpected: {line}")
    return done.stdout


def change(text: str, folder: Path) -> None:
    """Apply a diff block: "--- FILE", and then lines that begin with " ", "-" or "+"."""
    first, *lines = text.splitlines()
    file = folder / first.removeprefix("--- ")
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    content = file.read_text(encoding="utf-8")
    if content.count(old) != 1:
        raise PageError(f"{file}: expected these lines once:\n{old}")
    file.write_text(content.replace(old, new), encoding="utf-8")


def _plain(line: str) -> str:
    return " ".join(line.split())


if __name__ == "__main__":
    total = 0.0
    for done, seconds in follow(Path(sys.argv[1]).resolve(), Path(sys.argv[2])):
        total += seconds
        print(f"{seconds:6.1f} s  $ {done}", flush=True)
    print(f"{total:6.1f} s  in all")
