"""Getting one file of known size from a server: cut short, it goes on where it was; nothing larger is ever written."""

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from btlib.errors import DataError

SECONDS = 60.0
"""Without a byte from a server, until it is given up; and what each file may take whatever its size."""

SLOWEST = 10_000.0
"""Bytes a second, on average over a file, below which a server is given up."""

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True)
class Wanted:
    """A file as it was listed.

    Attributes:
        name: Of the file.
        size: In bytes.
        md5: 32 hex digits; empty where none is known.
    """

    name: str
    size: int
    md5: str

    def is_at(self, path: Path) -> bool:
        """Whether this file is there, whole."""
        return path.is_file() and self.why_not(path) is None

    def why_not(self, path: Path) -> str | None:
        """What is wrong with the file that is there; None where it is this one."""
        size = path.stat().st_size
        if size != self.size:
            return f"got {size} bytes"
        if not self.md5:
            return None
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        return None if md5 == self.md5 else f"its md5 {md5} does not match"


class FetchError(Exception):
    """A server did not give the file."""


def fetch(url: str, wanted: Wanted, target: Path, report: Callable[[int], object] = lambda total: None) -> None:
    """Get one file, unless it is there. What came before an interruption stays beside it, in `NAME.partial`.

    Args:
        url: Where to ask.
        wanted: What must come.
        target: Where it goes.
        report: Told the number of bytes that are there.

    Raises:
        FetchError: What the server gives is another file, or too slow.
        DataError: There is not enough space.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if wanted.is_at(target):
            return
        partial = target.with_name(f"{target.name}.partial")
        require_space(target.parent, wanted.size - (partial.stat().st_size if partial.is_file() else 0))
        _go_on(url, wanted, partial, report)
        partial.replace(target)


def require_space(folder: Path, size: int) -> None:
    """Refuse to write what would not fit.

    Raises:
        DataError: As said.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"needs {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free",
            where=folder,
            hint="free some space, or choose another folder",
        )


def _go_on(url: str, wanted: Wanted, partial: Path, report: Callable[[int], object]) -> None:
    """Get what is missing of a file; all of it where what is there turns out to be of another one."""
    have = partial.stat().st_size if partial.is_file() else 0
    if have and (not wanted.md5 or have > wanted.size):  # without a checksum nobody could tell what it is a part of
        partial.unlink()
        have = 0
    if have < wanted.size:
        _get(url, wanted, partial, have, report)
    problem = wanted.why_not(partial)
    if problem and have:
        _get(url, wanted, partial, 0, report)
        problem = wanted.why_not(partial)
    if problem:
        partial.unlink()
        raise FetchError(problem)


def _get(url: str, wanted: Wanted, partial: Path, have: int, report: Callable[[int], object]) -> None:
    import requests

    deadline = time.monotonic() + SECONDS + (wanted.size - have) / SLOWEST
    # the bytes of the file itself are wanted, not packed once more
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, timeout=SECONDS, stream=True) as answer:
        answer.raise_for_status()
        start = _start_of(answer)
        if start not in (0, have):
            raise FetchError(f"asked for bytes from {have}, got them from {start}")
        _write(answer, partial, start, wanted, deadline, report)


def _start_of(answer: Any) -> int:
    """At which byte of the file an answer begins: a server need not know how to go on."""
    if answer.status_code != 206:
        return 0
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None:
        raise FetchError("gave a part of the file, and does not say which")
    return int(found[1])


def _write(
    answer: Any, partial: Path, start: int, wanted: Wanted, deadline: float, report: Callable[[int], object]
) -> None:
    there = start
    with partial.open("ab" if start else "wb") as sink:
        for chunk in pieces(answer, deadline):
            there += len(chunk)
            if there > wanted.size:
                break
            sink.write(chunk)
            report(there)
    if there > wanted.size:
        partial.unlink()
        raise FetchError(f"gives more than the {wanted.size} bytes that were listed")
    if there < wanted.size:
        raise FetchError(f"ended after {there} of {wanted.size} bytes; these are kept")


def pieces(answer: Any, deadline: float) -> Iterator[bytes]:
    """The body of an answer as it comes in, byte by byte if need be, so that no server can hold us up.

    Args:
        answer: Of `requests`, streamed.
        deadline: By `time.monotonic`.

    Raises:
        FetchError: It took longer. (A connection that breaks off ends the body.)
    """
    from urllib3.exceptions import HTTPError

    try:
        while piece := answer.raw.read1(_CHUNK, decode_content=False):
            yield piece
            if time.monotonic() > deadline:
                raise FetchError("is too slow: given up")
    except HTTPError:
        return
