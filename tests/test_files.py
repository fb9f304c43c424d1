"""Files are written whole or not at all, by everything in btlib that writes one."""

import ast
import json
import math
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import btlib
from btlib import files
from btlib.adapters.saved import save_predictions
from btlib.data import write_slice
from btlib.data.dataset import Dataset
from btlib.data.sources.figshare.scan import ScanReport
from btlib.data.sources.figshare.scan_output import write_report
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BtlibError
from btlib.explain.maps import Maps
from btlib.gate.judgement import Judgement
from btlib.npz import write_npz
from btlib.reporting import figures
from btlib.reporting.html.pictures import Picture, store_pictures
from btlib.results import Conditions
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.runs.masks import Masks
from btlib.runs.split import Part, SplitFile
from btlib.stored_folder import write_folder
from btlib.types import Predictions

IDS, NUMBERS = np.array(["7", "3"]), np.array([7, 3])
PIXELS = np.arange(70.0).reshape(2, 5, 7)
INFO = RunInfo(tier="smoke", command="pytest", baseline="b", task=PHANTOM, data="d", started="now")
PICTURE = Picture(np.zeros((4, 4), np.uint8), np.eye(4, dtype=bool)[None])
PART = Part(ids=["7"], patients=None)
SPLIT = SplitFile(name="s", fingerprint="f", train=PART, val=PART, test=PART)
REPORT = ScanReport(Path(), 0, {}, {}, {}, {}, (), ())


def constant(images: np.ndarray) -> Predictions:
    return Predictions(np.full(images.shape, 0.5), None)


class Constant:
    def predict(self, images: np.ndarray) -> Predictions:
        return constant(images)


def save_record(path: Path) -> None:
    """To `records/X-seed1.json`."""
    conditions = Conditions(
        task=PHANTOM,
        truth_fingerprint="t",
        input_fingerprint="i",
        split_name="s",
        split_fingerprint="f",
        n_test=1,
        test_class_counts=[1, 0, 0],
        image_size=4,
        scaling="thesis",
        threshold=0.5,
        epsilon=1e-6,
    )
    about: dict[str, Any] = {"title": "x", "tier": "smoke", "metrics": {}, "environment": {}, "created": "now"}
    record = CaseRecord(case="X", seed=1, outcome="error", conditions=conditions, seconds=1.0, **about)
    RunStore(path.parents[1]).save_record(record)


def save_constant(path: Path) -> None:
    image, mask = np.zeros((1, 1, 4, 4), np.float32), np.eye(4, dtype=bool)[None, None]
    dataset = Dataset(PHANTOM, image, mask, np.ones(1, np.int64), np.array(["1"]), ("P",), "thesis", 4)
    save_predictions(path, dataset, Constant())


WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "text": ("a.txt", lambda path: files.write_text(path, "new")),
    "JSON": ("a.json", lambda path: files.write_json(path, {"a": 1})),
    "arrays": ("a.npz", lambda path: write_npz(path, {"a": PIXELS})),
    "masks": ("a.npz", lambda path: Masks(IDS, np.zeros((2, 1, 5, 1), np.uint8), 7).save(path)),
    "maps": ("a.npz", lambda path: Maps(IDS, NUMBERS, PIXELS[:, 0, 0], PIXELS, PIXELS).save(path)),
    "pictures": ("a.npz", lambda path: store_pictures(path, {"7": PICTURE})),
    "predictions": ("a.npz", save_constant),
    "a stored folder": ("a/b", lambda path: write_folder(path.parent, "s", lambda part: (part / "b").touch(), {})),
    "a sample": ("1.mat", lambda path: write_slice(path, PIXELS[0], PIXELS[0] > 9, 0)),
    "a report of a scan": ("a.json", lambda path: write_report(REPORT, path)),
    "run.json": ("run.json", lambda path: RunStore(path.parent).save_info(INFO)),
    "the split of a fold": ("splits/s.json", lambda path: RunStore(path.parents[1]).save_split(SPLIT, "s")),
    "a record": ("records/X-seed1.json", save_record),
    "judgement.json": ("judgement.json", Judgement(baseline=None, against=None, strict=False).save),
}


@pytest.fixture
def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when what was written is to be put in its place."""

    def full(handle: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("btlib.files.os.fsync", full)


def content(folder: Path) -> dict[str, bytes]:
    """Every file but locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.mark.usefixtures("no_space")
@pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)
def test_a_write_that_fails_leaves_nothing(name: str, write: Callable[[Path], object], tmp_path: Path):
    with pytest.raises((OSError, BtlibError), match="no space left"):
        write(tmp_path / name)
    assert content(tmp_path) == {}


@pytest.mark.parametrize(("name", "write"), WRITERS.values(), ids=WRITERS)
def test_a_write_that_fails_leaves_the_old_file(
    name: str, write: Callable[[Path], object], tmp_path: Path, request: pytest.FixtureRequest
):
    write(tmp_path / name)
    before = content(tmp_path)
    assert name in before
    request.getfixturevalue("no_space")
    with pytest.raises((OSError, BtlibError), match="no space left"):
        write(tmp_path / name)
    assert content(tmp_path) == before


def test_a_figure_appears_when_it_is_whole(tmp_path: Path):
    class Half:
        def findobj(self, kind: type) -> list[object]:
            return []

        def savefig(self, path: Path, **options: object) -> None:
            path.write_text("<svg")
            raise OSError("no space left")

    (tmp_path / "a.svg").write_text("old")
    with pytest.raises(OSError, match="no space left"):
        figures.save(Half(), tmp_path / "a.svg")  # type: ignore[arg-type]
    assert content(tmp_path) == {"a.svg": b"old"}


def test_a_block_that_fails_half_way_leaves_the_old_file(tmp_path: Path):
    target = tmp_path / "new folder" / "a.txt"
    files.write_text(target, "old")

    def half(error: type[BaseException]) -> None:
        with files.atomic_path(target) as part:
            part.write_text("half")
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            half(error)
        assert content(tmp_path) == {"new folder/a.txt": b"old"}


def test_the_temporary_file_is_hidden_beside_its_target_and_the_result_is_readable_by_all(tmp_path: Path):
    """In another file system a rename would copy, and a glob for the target's suffix must not find half a file."""
    with files.atomic_path(tmp_path / "a.json") as part:
        assert part.parent == tmp_path
        assert part.name.startswith(".a.json.")
        assert not list(tmp_path.glob("*.json"))
        part.write_text("x")
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


def test_content_is_on_the_disk_before_it_takes_the_place_of_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else a machine that loses its power leaves an empty file."""
    steps: list[str] = []
    monkeypatch.setattr("btlib.files.os.fsync", lambda handle: steps.append("sync"))
    monkeypatch.setattr(Path, "replace", lambda self, target: steps.append(f"replace {target.name}"))
    files.write_text(tmp_path / "a.txt", "new")
    assert steps == ["sync", "replace a.txt"]


def test_json_has_sorted_keys_and_no_number_that_is_none(tmp_path: Path):
    files.write_json(tmp_path / "a.json", {"b": "ä", "a": [1]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "a": [\n  1\n ],\n "b": "ä"\n}\n'
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="JSON"):
            files.write_json(tmp_path / "a.json", {"a": value})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"b": "ä", "a": [1]}


def test_what_a_killed_process_left_is_removed_the_next_time(tmp_path: Path):
    """Also where the next one writes another file; but not what another process is writing, or another machine."""
    program = f"""
import os, signal
from pathlib import Path
from btlib import files
with files.atomic_path(Path({str(tmp_path)!r}) / "a.txt") as part:
    with files.atomic_folder(Path({str(tmp_path)!r}) / "b") as folder:
        part.write_text("half")
        (folder / "c").write_text("half")
        print(part.name, folder.name, sep="/", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    left = done.stdout.strip().split("/")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(left)
    others = (left[0].replace(f".{files._machine()}-", ".00000000-"), f".x.{files._machine()}-{os.getpid()}.y.part")
    mine = (*others, ".part", "x.part", ".unlike.part")
    for name in mine:
        (tmp_path / name).touch()
    files.write_text(tmp_path / "d.txt", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*mine, "d.txt"])


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path):
    for name in ("a" * 255, "ä" * 127, "日" * 85):
        files.write_text(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"


def test_a_folder_appears_when_it_is_whole(tmp_path: Path):
    def make(error: type[BaseException] | None) -> None:
        with files.atomic_folder(tmp_path / "a") as part:
            (part / "b").write_text("new")
            assert not (tmp_path / "a").exists()
            if error:
                raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            make(error)
        assert not list(tmp_path.iterdir())
    make(None)
    assert content(tmp_path) == {"a/b": b"new"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755


def test_why_nothing_can_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for sound in (tmp_path, tmp_path / "new", tmp_path / "new" / "deep"):
        assert files.why_unwritable(sound) is None
    assert not (tmp_path / "new").exists()
    for bad, why in (
        (tmp_path / "file", "file is not a folder"),
        (tmp_path / "file" / "deep", "file is not a folder"),
        (tmp_path / "link", "is a link to .*nowhere, which does not exist"),
        (tmp_path / "link" / "deep", "is a link to"),
        (Path("/proc/btlib"), "/proc: "),
    ):
        assert re.search(why, files.why_unwritable(bad) or ""), bad


SEALED = {"a": 1.5, "b": ["ä", True, None], "c": {"digest": "x"}}


def test_what_was_sealed_is_read_and_a_changed_value_is_not(tmp_path: Path):
    path = tmp_path / "a.json"
    files.write_json(path, files.sealed(SEALED))
    assert files.read_sealed(path) == SEALED
    text = path.read_text(encoding="utf-8")
    for old, new in (("1.5", "1.25"), ("ä", "a"), ("true,", "false,"), ("null", "0"), ('"x"', '"y"'), ('"a"', '"A"')):
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(files.DamagedFileError, match="digest: does not match the content"):
            files.read_sealed(path)


@pytest.mark.parametrize("content", [b"[]", b"1", b"null", b"", b"{", b"\xff", b"[" * 100_000, b"1e999", b'{"a": NaN}'])
def test_what_is_no_sealed_object(tmp_path: Path, content: bytes):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(files.DamagedFileError):
        files.read_sealed(tmp_path / "a.json")


def test_a_file_of_an_older_version_has_no_digest(tmp_path: Path):
    files.write_json(tmp_path / "a.json", SEALED)
    assert files.read_sealed(tmp_path / "a.json", required=False) == SEALED
    with pytest.raises(files.DamagedFileError, match="digest or sealed: missing"):
        files.read_sealed(tmp_path / "a.json")


def test_damage_cannot_make_a_sealed_file_one_of_an_older_version(tmp_path: Path):
    """The two fields that say that it is sealed stand at its two ends."""
    value = files.sealed(SEALED)
    assert (next(iter(value)), list(value)[-1]) == ("digest", "sealed")
    for gone in ("digest", "sealed"):
        files.write_json(tmp_path / "a.json", {name: field for name, field in value.items() if name != gone})
        with pytest.raises(files.DamagedFileError, match="missing or damaged"):
            files.read_sealed(tmp_path / "a.json", required=False)


ALLOWED = {
    "files.py": 2,  # the one place; and a digest at the end of a file that is being written
    "npz.py": 1,  # inside `atomic_path`
    "data/entry.py": 1,  # in a folder that is renamed when it is whole
    "data/audit/store.py": 1,  # in a temporary folder
    "data/originals.py": 1,  # in the same folder
    "data/layouts/cases_file.py": 1,  # inside `atomic_path`
    "data/layouts/unpacking.py": 2,  # in a folder that is renamed when it is whole
    "data/layouts/writing.py": 2,  # in such a folder
    "data/sources/phantom/images.py": 1,  # in such a folder
    "data/sources/phantom/table.py": 1,  # in such a folder
    "data/sources/figshare/slice_file.py": 1,  # inside `atomic_path`
    "data/sources/figshare/download.py": 1,  # inside `atomic_path`
    "speed/memory.py": 1,  # a switch of the kernel
}


def direct_writes(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that write to a path by themselves."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        mode = node.args[0] if node.args else None
        if node.func.attr in {"write_text", "write_bytes"} and owner != "files":
            yield node
        if node.func.attr == "open" and isinstance(mode, ast.Constant) and {*str(mode.value)} & {*"wax"}:
            yield node


def test_files_are_written_through_one_place():
    """Other ways to write a file leave half of it behind when they are interrupted."""
    package = Path(btlib.__file__).parent
    found = {}
    for path in package.rglob("*.py"):
        place = path.relative_to(package)
        calls = list(direct_writes(ast.parse(path.read_text(encoding="utf-8"))))
        if calls and place.parts[0] != "starter":
            found[place.as_posix()] = len(calls)
    assert found == ALLOWED


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder_of_its_own(path: Path) -> None:
    path.mkdir()


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


@pytest.mark.parametrize("made", [pipe, folder_of_its_own, dangling_link, circle, link_to_a_pipe])
def test_what_is_no_file_is_never_replaced(made: Callable[[Path], None], tmp_path: Path):
    """As root it could be: /dev/null would be a file afterwards."""
    made(tmp_path / "a")
    before = {path.name: path.lstat().st_mode for path in tmp_path.iterdir()}
    with pytest.raises(OSError, match=r"expected a file, found a folder, pipe|is a link to a file that does not exist"):
        files.write_text(tmp_path / "a", "text")
    assert {path.name: path.lstat().st_mode for path in tmp_path.iterdir()} == before


def test_a_device_is_never_replaced(tmp_path: Path):
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root can make a device")
    with pytest.raises(OSError, match="found a folder, pipe, socket or device"):
        files.write_text(device, "text")
    assert stat.S_ISCHR(device.stat().st_mode)


def test_behind_a_link_the_file_is_written_and_the_link_stays(tmp_path: Path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "b").write_text("old")
    (tmp_path / "a").symlink_to("there/b")
    files.write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "there" / "b").read_text() == "new"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["b"]
