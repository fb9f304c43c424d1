"""The download against a server of this machine that answers like Figshare's API, faults included."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from btlib.data.download import download
from btlib.data.scan import scan
from btlib.errors import DataError

ONE, TWO = "brainTumorDataPublic_1-2.zip", "brainTumorDataPublic_3-4.zip"


class Server:
    """Files by address, the addresses that were asked for, and faults to plant."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = outer.answers.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def offer(self, files: dict[str, bytes], **change: object) -> None:
        listing = [
            {
                "id": i,
                "name": name,
                "size": len(body),
                "computed_md5": hashlib.md5(body).hexdigest(),
                "download_url": f"{self.url}/first/{i}",
            }
            | change
            for i, (name, body) in enumerate(files.items())
        ]
        self.answers["/articles/1512427"] = json.dumps({"files": listing}).encode()
        for i, body in enumerate(files.values()):
            self.answers[f"/first/{i}"] = self.answers[f"/second/{i}"] = body

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


@pytest.fixture
def files(tmp_path: Path, make_slice: Callable[..., object]) -> dict[str, bytes]:
    packed = {}
    for name, numbers in ((ONE, (1, 2)), (TWO, (3, 4))):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for n in numbers:
                make_slice(tmp_path / "made" / f"{n}.mat", label=n % 3, seed=n)
                archive.write(tmp_path / "made" / f"{n}.mat", f"{n}.mat")
        packed[name] = buffer.getvalue()
    return packed | {"cvind.mat": b"folds", "README.txt": b"read me"}


def get(server: Server, out: Path) -> Path:
    return download(out, base_url=server.url, file_hosts=(f"{server.url}/second",))


def test_slices_and_folds_arrive_where_they_belong(server: Server, files: dict[str, bytes], tmp_path: Path):
    server.offer(files)
    assert get(server, tmp_path / "out") == tmp_path / "out" / "data"
    assert scan(tmp_path / "out", expect=4).sound
    assert (tmp_path / "out" / "cvind.mat").read_bytes() == b"folds"
    for n in (1, 4):
        assert (tmp_path / "out" / "data" / f"{n}.mat").read_bytes() == (tmp_path / "made" / f"{n}.mat").read_bytes()
    assert not any(path.endswith("/3") for path in server.asked)  # the article's read-me stays there


def test_what_is_there_is_not_fetched_again(server: Server, files: dict[str, bytes], tmp_path: Path):
    server.offer(files)
    get(server, tmp_path)
    (tmp_path / "downloads" / TWO).unlink()
    (tmp_path / "data" / "2.mat").unlink()
    server.asked.clear()
    get(server, tmp_path)
    assert server.asked == ["/articles/1512427", "/first/1"]
    assert scan(tmp_path, expect=4).sound


@pytest.mark.parametrize("fault", [b"<html>blocked</html>", b"", None], ids=["another page", "nothing", "404"])
def test_the_next_host_helps_out(server: Server, files: dict[str, bytes], tmp_path: Path, fault: bytes | None):
    server.offer(files)
    if fault is None:
        del server.answers["/first/0"]
    else:
        server.answers["/first/0"] = fault
    get(server, tmp_path)
    assert scan(tmp_path, expect=4).sound
    assert "/second/0" in server.asked


@pytest.mark.parametrize("change", [{}, {"computed_md5": ""}], ids=["by checksum", "by size"])
def test_no_host_gives_the_right_file(server: Server, files: dict[str, bytes], tmp_path: Path, change: dict[str, str]):
    server.offer(files, **change)
    server.answers["/first/0"] = b"wrong"
    del server.answers["/second/0"]
    with pytest.raises(DataError) as caught:
        get(server, tmp_path)
    text = str(caught.value)
    assert ONE in text
    assert f"{server.url}/first/0: " in text
    assert f"{server.url}/second/0: " in text
    assert "404" in text
    assert "10.6084/m9.figshare.1512427" in str(caught.value.mend)
    assert not (tmp_path / "downloads" / ONE).exists()


def test_a_damaged_archive_is_named(server: Server, files: dict[str, bytes], tmp_path: Path):
    server.offer(files | {TWO: b"PK but no archive"})
    with pytest.raises(DataError, match=rf"{TWO}: cannot be unpacked"):
        get(server, tmp_path)


@pytest.mark.parametrize("answer", [None, b"<html>", b"{}", b'{"files": [{"id": 1, "name": "../x.zip"}]}'])
def test_an_answer_that_is_no_listing(server: Server, tmp_path: Path, answer: bytes | None):
    if answer is not None:
        server.answers["/articles/1512427"] = answer
    with pytest.raises(DataError, match="expected the article's list of files") as caught:
        get(server, tmp_path)
    assert "by hand" in str(caught.value.mend)


def test_without_network(tmp_path: Path):
    with pytest.raises(DataError, match="expected the article's list of files, got ConnectionError"):
        download(tmp_path, base_url="http://127.0.0.1:9")
