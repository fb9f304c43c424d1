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

from btlib.data.sources.figshare.download import _unpack, download
from btlib.data.sources.figshare.scan import scan
from btlib.errors import DataError

ONE, TWO = "brainTumorDataPublic_1-2.zip", "brainTumorDataPublic_3-4.zip"


class Server:
    """Files by address, the addresses that were asked for, and faults to plant."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.status: dict[str, int] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = outer.answers.get(self.path)
                self.send_response(outer.status.get(self.path, 200) if body is not None else 404)
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


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_drawn_for_each_file_where_it_is_wanted(
    server: Server, files: dict[str, bytes], tmp_path: Path, progress: bool, capsys: pytest.CaptureFixture[str]
):
    server.offer(files)
    download(tmp_path, base_url=server.url, file_hosts=(), progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert [name in err for name in (ONE, TWO, "cvind.mat")] == [progress] * 3


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


BY = {"by checksum": {}, "by a supplied checksum": {"computed_md5": None}, "by size": {"computed_md5": ""}}


@pytest.mark.parametrize("last", ["wrong", "404"])
@pytest.mark.parametrize("change", BY.values(), ids=BY)
def test_no_host_gives_the_right_file(
    server: Server, files: dict[str, bytes], tmp_path: Path, change: dict[str, str | None], last: str
):
    """Nothing is left of what came, whichever host came last."""
    if change == BY["by a supplied checksum"]:
        change = change | {"supplied_md5": hashlib.md5(files[ONE]).hexdigest()}
    server.offer({ONE: files[ONE]}, **change)
    longer, turned = files[ONE] + b"!", files[ONE][::-1]  # another size; the same size, which a checksum tells
    wrong = longer if change == BY["by size"] else turned
    first, second = ("404", "wrong") if last == "wrong" else ("wrong", "404")
    for host, fault in (("first", first), ("second", second)):
        server.answers[f"/{host}/0"] = wrong
        if fault == "404":
            del server.answers[f"/{host}/0"]
    with pytest.raises(DataError) as caught:
        get(server, tmp_path)
    size, md5 = len(files[ONE]), hashlib.md5(files[ONE]).hexdigest()
    listed = f"{size} bytes" if change == BY["by size"] else f"{size} bytes, md5 {md5}"
    problem, *lines = caught.value.problem.splitlines()
    assert problem == f"no host sends the listed file ({listed})"
    assert [line.split(": ")[0].strip() for line in lines] == [f"{server.url}/first/0", f"{server.url}/second/0"]
    told = f"sent more than the {size} listed bytes" if change == BY["by size"] else "does not match"
    assert told in lines[0 if first == "wrong" else 1]
    assert "404" in lines[0 if first == "404" else 1]
    assert caught.value.where == str(tmp_path / "downloads" / ONE)
    assert "10.6084/m9.figshare.1512427" in str(caught.value.hint)
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == [f".{ONE}.lock"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("change", [{}, {"computed_md5": ""}], ids=["by checksum", "by size"])
def test_a_cut_file_of_before_is_fetched_again(
    server: Server, files: dict[str, bytes], tmp_path: Path, change: dict[str, str]
):
    server.offer(files, **change)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / ONE).write_bytes(files[ONE][:-100])
    get(server, tmp_path)
    assert (tmp_path / "downloads" / ONE).read_bytes() == files[ONE]
    assert server.asked == ["/articles/1512427", "/first/0", "/first/1", "/first/2"]


def test_a_host_that_the_api_names_is_asked_once(server: Server, files: dict[str, bytes], tmp_path: Path):
    server.offer({ONE: files[ONE]})
    server.answers = {"/articles/1512427": server.answers["/articles/1512427"]}
    with pytest.raises(DataError, match="no host sends the listed file"):
        download(tmp_path, base_url=f"{server.url}/", file_hosts=(f"{server.url}/first", f"{server.url}/third"))
    assert server.asked == ["/articles/1512427", "/first/0", "/third/0"]


def written(path: Path) -> tuple[int, int]:
    """Tells whether a file is still the one that was written; being read does not count."""
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_a_cut_slice_is_unpacked_again_and_a_whole_one_is_kept(server: Server, files: dict[str, bytes], tmp_path: Path):
    server.offer(files)
    home = get(server, tmp_path)
    whole, kept = (home / "1.mat").read_bytes(), written(home / "2.mat")
    for wrong in (whole[:-1], whole + b"!"):
        (home / "1.mat").write_bytes(wrong)
        get(server, tmp_path)
        assert (home / "1.mat").read_bytes() == whole
    assert written(home / "2.mat") == kept


def test_a_slice_that_cannot_be_unpacked_whole_is_not_there(server: Server, files: dict[str, bytes], tmp_path: Path):
    """Its end is damaged: most of it was written by then."""
    raw = bytearray(files[TWO])
    with zipfile.ZipFile(io.BytesIO(files[TWO])) as archive:
        last = archive.infolist()[1]
    raw[last.header_offset + 30 + len(last.filename) + last.compress_size - 9] ^= 255
    server.offer({ONE: files[ONE], TWO: bytes(raw)})
    with pytest.raises(DataError, match=rf"{TWO}: cannot be unpacked"):
        get(server, tmp_path)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["1.mat", "2.mat", "3.mat"]


def test_a_slice_that_is_too_large_to_be_one_is_not_unpacked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A hundred kilobytes can unpack to a hundred megabytes, and a folder of them to a full disk."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.mat", bytes(10**6))
    monkeypatch.setattr("btlib.data.sources.figshare.download.LARGEST", 10**6 - 1)
    server.offer({ONE: buffer.getvalue()})
    with pytest.raises(
        DataError, match=rf"{ONE}: cannot be unpacked: 1.mat: expected at most 999999 bytes, got 1000000"
    ):
        get(server, tmp_path)
    assert not (tmp_path / "data").exists()


def test_a_packed_slice_that_is_longer_than_it_says_is_not_kept(server: Server, tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.mat", bytes(1000))
    raw = buffer.getvalue().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    server.offer({ONE: raw})
    with pytest.raises(DataError, match="cannot be unpacked"):
        get(server, tmp_path)
    assert not list((tmp_path / "data").glob("*"))


def test_a_locked_archive_is_named(server: Server, tmp_path: Path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("1.mat", b"secret")
    raw = bytearray(buffer.getvalue())
    for header, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(header) + place] |= 1  # the flag of encryption
    server.offer({ONE: bytes(raw)})
    with pytest.raises(DataError, match=r"cannot be unpacked: .*encrypted"):
        get(server, tmp_path)


@pytest.mark.parametrize("byte", [0, 100, -1])
def test_a_damaged_slice_that_is_unpacked_is_unpacked_again(
    server: Server, files: dict[str, bytes], tmp_path: Path, byte: int
):
    """Its size is right, and its content is not."""
    server.offer(files)
    home = get(server, tmp_path)
    whole, kept = (home / "1.mat").read_bytes(), written(home / "2.mat")
    turned = bytearray(whole)
    turned[byte] ^= 1
    (home / "1.mat").write_bytes(turned)
    get(server, tmp_path)
    assert (home / "1.mat").read_bytes() == whole
    assert written(home / "2.mat") == kept


@pytest.mark.parametrize("size", [0, -1, 10**10 + 1, "many"])
def test_a_listing_of_impossible_sizes_does_not_count(
    server: Server, files: dict[str, bytes], tmp_path: Path, size: object
):
    server.offer(files, size=size)
    with pytest.raises(DataError, match="expected the article's list of files"):
        get(server, tmp_path)


def test_an_endless_listing_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("btlib.data.sources.figshare.download._LISTING", 1000)
    server.answers["/articles/1512427"] = b" " * 1001
    with pytest.raises(DataError, match="more than 1000 bytes"):
        get(server, tmp_path)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ([], "contains no .mat files"),
        (["README.txt"], "contains no .mat files"),
        (["notes.mat"], "NUMBER.mat"),
        (["../../notes.mat"], "NUMBER.mat"),
        (["cvind.mat"], "not a slice"),
    ],
)
def test_what_an_archive_may_hold(server: Server, tmp_path: Path, members: list[str], problem: str):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in members:
            archive.writestr(name, b"x")
    server.offer({ONE: buffer.getvalue()})
    with pytest.raises(DataError, match=problem):
        get(server, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [f".{ONE}.lock", ONE]


def test_an_archive_lays_slices_into_one_folder(server: Server, tmp_path: Path, files: dict[str, bytes]):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(tmp_path / "made" / "1.mat", "deep/er/1.MAT")
        archive.writestr("deep/README.txt", b"read me")
    server.offer({"another.zip": buffer.getvalue()})
    home = get(server, tmp_path / "out")
    assert [path.name for path in home.iterdir()] == ["1.MAT"]


def test_folds_alone_are_no_download(server: Server, tmp_path: Path):
    server.offer({"cvind.mat": b"folds", "README.txt": b"read me"})
    with pytest.raises(DataError, match="the article lists no zip files"):
        get(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_archive_is_named(server: Server, files: dict[str, bytes], tmp_path: Path):
    server.offer(files | {TWO: b"PK but no archive"})
    with pytest.raises(DataError, match=rf"{TWO}: cannot be unpacked"):
        get(server, tmp_path)


def listing(name: str) -> bytes:
    file = {"id": 1, "name": name, "size": 1, "computed_md5": "", "download_url": "http://127.0.0.1:9"}
    return json.dumps({"files": [file]}).encode()


@pytest.mark.parametrize(
    "answer", [None, b"<html>", b"{}", *map(listing, ("../x.zip", "/x.zip", "a/x.zip", ".x.zip", ".."))]
)
def test_an_answer_that_is_no_listing(server: Server, tmp_path: Path, answer: bytes | None):
    if answer is not None:
        server.answers["/articles/1512427"] = answer
    with pytest.raises(DataError, match="expected the article's list of files") as caught:
        get(server, tmp_path)
    assert "download the files manually" in str(caught.value.hint)


def test_a_listing_that_comes_with_an_error_does_not_count(server: Server, files: dict[str, bytes], tmp_path: Path):
    server.offer(files)
    server.status["/articles/1512427"] = 503
    with pytest.raises(DataError, match="expected the article's list of files, got HTTPError: 503"):
        get(server, tmp_path)


def test_without_network(tmp_path: Path):
    with pytest.raises(DataError, match="expected the article's list of files, got ConnectionError"):
        download(tmp_path, base_url="http://127.0.0.1:9")


@pytest.mark.parametrize("names", [("1.mat", "a/1.mat"), ("1.mat", "01.mat"), ("1.mat", "1.MAT")])
def test_an_archive_with_two_slices_of_one_number_is_refused(tmp_path: Path, names: tuple[str, str]):
    """Neither takes the place of the other unseen."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, name)
    with pytest.raises(DataError, match=r"cannot be unpacked: .*slice 1 occurs twice"):
        _unpack(tmp_path / "a.zip", tmp_path / "data")
