"""Download of one file of known size from a server. Interrupted downloads resume; larger files are never written."""

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
"""Timeout in seconds for a server that sends nothing; also the time added to the limit of every file."""

SLOWEST = 10_000.0
"""Minimum mean speed of a download in bytes per second; a slower one is stopped."""

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True)
class Wanted:
    """A file as listed by the server.

    Attributes:
        name: Name of the file.
        size: Size in bytes.
        md5: MD5 checksum, 32 hex digits; empty if unknown.
    """

    name: str
    size: int
    md5: str

    def is_at(self, path: Path) -> bool:
        """Whether this file exists at `path` and is complete."""
        return path.is_file() and self.why_not(path) is None

    def why_not(self, path: Path) -> str | None:
        """Return why the file at `path` is not this file; None if it is."""
        size = path.stat().st_size
        if size != self.size:
            return f"got {size} bytes"
        if not self.md5:
            return None
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        return None if md5 == self.md5 else f"its md5 {md5} does not match"


class FetchError(Exception):
    """A server did not send the file."""


def fetch(url: str, wanted: Wanted, target: Path, report: Callable[[int], object] = lambda total: None) -> None:
    """Download one file, unless it exists. The part before an interruption is stored next to it, in `NAME.partial`.

    Args:
        url: Address of the file.
        wanted: Expected file.
        target: Path to write to.
        report: Function that is called with the number of bytes downloaded so far.

    Raises:
        FetchError: The server sends another file, or is too slow.
        DataError: There is not enough disk space.
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
    """Check that `size` bytes fit on the disk of a folder.

    Raises:
        DataError: They do not fit.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"needs {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free",
            where=folder,
            hint="free some space, or choose another folder",
        )


def _go_on(url: str, wanted: Wanted, partial: Path, report: Callable[[int], object]) -> None:
    """Download the missing part of a file, or the complete file if the existing part belongs to another file."""
    have = partial.stat().st_size if partial.is_file() else 0
    if have and (not wanted.md5 or have > wanted.size):  # without a checksum a wrong part cannot be detected
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
    # no compression in transit: the size and ranges refer to the file itself
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, timeout=SECONDS, stream=True) as answer:
        answer.raise_for_status()
        start = _start_of(answer)
        if start not in (0, have):
            raise FetchError(f"expected bytes from {have}, got bytes from {start}")
        _write(answer, partial, start, wanted, deadline, report)


def _start_of(answer: Any) -> int:
    """Return at which byte of the file a response begins: 0 if the server does not support resuming."""
    if answer.status_code != 206:
        return 0
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None:
        raise FetchError("sent a part of the file without a valid Content-Range")
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
        raise FetchError(f"sent more than the {wanted.size} listed bytes")
    if there < wanted.size:
        raise FetchError(f"ended after {there} of {wanted.size} bytes, which are stored for resuming")


def pieces(answer: Any, deadline: float) -> Iterator[bytes]:
    """Yield the body of a response in the pieces that arrive, so that a slow server cannot block the download.

    Args:
        answer: Streamed response of `requests`.
        deadline: Latest time, by `time.monotonic`.

    Raises:
        FetchError: The deadline has passed. (A lost connection ends the body.)
    """
    from urllib3.exceptions import HTTPError

    try:
        while piece := answer.raw.read1(_CHUNK, decode_content=False):
            yield piece
            if time.monotonic() > deadline:
                raise FetchError("is too slow: download stopped")
    except HTTPError:
        return
