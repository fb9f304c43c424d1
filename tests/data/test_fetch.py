"""One file from a server that fails in every way: what is written is the file that was listed, or nothing."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.data.sources.figshare import fetch as module
from btlib.data.sources.figshare.fetch import FetchError, Wanted, fetch, require_space
from btlib.errors import DataError

CONTENT = np.random.default_rng(0).bytes(50_000)
WANTED = Wanted("a.zip", len(CONTENT), hashlib.md5(CONTENT).hexdigest())
BY_SIZE = Wanted("a.zip", len(CONTENT), "")

Answer = Callable[["Handler", int], None]


class Handler(BaseHTTPRequestHandler):
    """Asks the test what to answer; knows at which byte the client wants to go on."""

    answers: list[Answer]
    asked: list[int]

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.asked.append(start)
        (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(self, start)

    def give(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length != -1:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


def whole(handler: Handler, start: int) -> None:
    handler.give(CONTENT)


def from_there(handler: Handler, start: int) -> None:
    """As a server does that knows how to go on."""
    if start == 0:
        return whole(handler, start)
    part = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    return handler.give(CONTENT[start:], 206, Content_Range=part)


def cut(handler: Handler, start: int) -> None:
    handler.give(CONTENT[start : start + 9000], length=len(CONTENT) - start)


def cut_and_going_on(handler: Handler, start: int) -> None:
    part = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    end = len(CONTENT) - start
    handler.give(CONTENT[start : start + 9000], 206 if start else 200, length=end, Content_Range=part)


def other(handler: Handler, start: int) -> None:
    handler.give(CONTENT[::-1])


def page(handler: Handler, start: int) -> None:
    handler.give(b"<html>log in first</html>")


def endless(handler: Handler, start: int) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(10_000):
            handler.wfile.write(bytes(100_000))
    except OSError:
        pass


def dripping(handler: Handler, start: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    try:
        for byte in CONTENT:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.01)
    except OSError:
        pass


def from_elsewhere(handler: Handler, start: int) -> None:
    handler.give(CONTENT[7:], 206, Content_Range=f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}")


def from_nowhere(handler: Handler, start: int) -> None:
    handler.give(CONTENT, 206)


def packed(handler: Handler, start: int) -> None:
    """Packed once more by a clever server, though nobody asked for it."""
    import gzip

    handler.give(gzip.compress(CONTENT), Content_Encoding="gzip")


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[str, list[int]]]]:
    """Starts a server that answers so, one after the other, the last for ever; its address, and what was asked."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(*answers: Answer) -> tuple[str, list[int]]:
        asked: list[int] = []
        kind: Any = type("Asked", (Handler,), {"answers": list(answers), "asked": asked})
        server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/a", asked

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


Serve = Callable[..., tuple[str, list[int]]]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("wanted", [WANTED, BY_SIZE], ids=["by checksum", "by size"])
def test_a_file_comes_and_is_not_asked_for_again(serve: Serve, tmp_path: Path, wanted: Wanted):
    url, asked = serve(from_there)
    told: list[int] = []
    for _ in range(2):
        fetch(url, wanted, tmp_path / "a.zip", told.append)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert (asked, names(tmp_path)) == ([0], ["a.zip"])
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


def test_it_goes_on_where_it_was_cut(serve: Serve, tmp_path: Path):
    url, asked = serve(cut, cut_and_going_on, from_there)
    for there in (9000, 18_000):
        with pytest.raises(FetchError, match=f"ended after {there} of 50000 bytes, which are stored for resuming"):
            fetch(url, WANTED, tmp_path / "a.zip")
        assert names(tmp_path) == ["a.zip.partial"]
    fetch(url, WANTED, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert (asked, names(tmp_path)) == ([0, 9000, 18_000], ["a.zip"])


def test_a_server_that_cannot_go_on_begins_again(serve: Serve, tmp_path: Path):
    url, asked = serve(cut, whole)
    with pytest.raises(FetchError):
        fetch(url, WANTED, tmp_path / "a.zip")
    fetch(url, WANTED, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert asked == [0, 9000]


@pytest.mark.parametrize("there", [CONTENT[::-1][:100], CONTENT + b"!", CONTENT[::-1], b"<html>"])
def test_the_beginning_of_another_file_is_no_beginning(serve: Serve, tmp_path: Path, there: bytes):
    """As the page of a first host is none of what a second gives."""
    (tmp_path / "a.zip.partial").write_bytes(there)
    fetch(serve(from_there)[0], WANTED, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.zip"]


def test_without_a_checksum_nothing_is_gone_on_with(serve: Serve, tmp_path: Path):
    """The end would have the right size, whatever the beginning is."""
    (tmp_path / "a.zip.partial").write_bytes(b"<html>")
    url, asked = serve(from_there)
    fetch(url, BY_SIZE, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert asked == [0]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (other, "does not match"),
        (page, "ended after 25 of 50000 bytes"),
        (endless, "sent more than the 50000 listed bytes"),
        (from_elsewhere, "expected bytes from 0, got bytes from 7"),
        (from_nowhere, "without a valid Content-Range"),
        (packed, "does not match|sent more than"),
    ],
)
def test_what_is_not_the_file_is_not_there_afterwards(serve: Serve, tmp_path: Path, answer: Answer, problem: str):
    with pytest.raises(FetchError, match=problem):
        fetch(serve(answer)[0], WANTED, tmp_path / "a.zip")
    assert [name for name in names(tmp_path) if name != "a.zip.partial"] == []
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= len(CONTENT)


def test_a_server_that_drips_is_given_up(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SECONDS", 0.2)
    monkeypatch.setattr(module, "SLOWEST", 1e9)
    with pytest.raises(FetchError, match="is too slow"):
        fetch(serve(dripping)[0], WANTED, tmp_path / "a.zip")


def test_a_damaged_file_of_before_is_replaced(serve: Serve, tmp_path: Path):
    (tmp_path / "a.zip").write_bytes(CONTENT[:-1] + b"!")
    fetch(serve(whole)[0], WANTED, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_what_does_not_fit_is_not_begun(serve: Serve, tmp_path: Path):
    huge = Wanted("a.zip", 10**15, WANTED.md5)
    url, asked = serve(whole)
    with pytest.raises(DataError, match=r"needs 1000000000 MB, \d+ MB are free"):
        fetch(url, huge, tmp_path / "a.zip")
    assert (asked, names(tmp_path)) == ([], [])
    require_space(tmp_path, 1)


def test_two_at_once_fetch_it_once(serve: Serve, tmp_path: Path):
    url, asked = serve(whole)
    threads = [threading.Thread(target=fetch, args=(url, WANTED, tmp_path / "a.zip")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [0]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
