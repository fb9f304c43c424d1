"""Files are written whole or not at all, by everything in btlib that writes one."""

import ast
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import btlib
from btlib import files
from btlib.adapters.saved import save_predictions
from btlib.data import write_slice
from btlib.data.dataset import Dataset
from btlib.data.scan import ScanReport
from btlib.data.scan_output import write_report
from btlib.errors import BtlibError
from btlib.reporting import figures
from btlib.reporting.html.pictures import Picture, keep
from btlib.runs import Maps, RunFolder, RunInfo, Timing
from btlib.runs.arrays import save_arrays
from btlib.runs.masks import Masks
from btlib.types import Predictions

NUMBERS = np.array([7, 3])
PIXELS = np.arange(70.0).reshape(2, 5, 7)
INFO = RunInfo(tier="smoke", command="pytest", baseline="b", origin="phantom", data="d", started="now")
REPORT = ScanReport(Path(), 0, {}, {}, {}, {}, (), ())


def constant(images: np.ndarray) -> Predictions:
    return Predictions(np.full(images.shape, 0.5), None)


class Constant:
    def predict(self, images: np.ndarray) -> Predictions:
        return constant(images)


def add_timing(path: Path) -> None:
    """To `speed/X.json`."""
    RunFolder(path.parents[1]).add_timing("X", "inference", Timing(images=1, seconds=[1.0]), 1.0, {})


WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "text": ("a.txt", lambda path: files.write_text(path, "new")),
    "JSON": ("a.json", lambda path: files.write_json(path, {"a": 1})),
    "arrays": ("a.npz", lambda path: save_arrays(path, a=PIXELS)),
    "masks": ("a.npz", lambda path: Masks(NUMBERS, np.zeros((2, 5, 1), np.uint8), 7).save(path)),
    "maps": ("a.npz", lambda path: Maps(NUMBERS, NUMBERS, PIXELS[:, 0, 0], PIXELS, PIXELS).save(path)),
    "pictures": ("a.npz", lambda path: keep(path, {7: Picture(np.zeros((4, 4), np.uint8), np.eye(4, dtype=bool))})),
    "a slice": ("1.mat", lambda path: write_slice(path, PIXELS[0], PIXELS[0] > 9, 0)),
    "a report of a scan": ("a.json", lambda path: write_report(REPORT, path)),
    "run.json": ("run.json", lambda path: RunFolder(path.parent).save_info(INFO)),
    "noise.json": ("noise.json", lambda path: RunFolder(path.parent).save_noise(Timing(images=1, seconds=[1.0]))),
    "a timing": ("speed/X.json", add_timing),
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
    assert list(before) == [name]
    request.getfixturevalue("no_space")
    with pytest.raises((OSError, BtlibError), match="no space left"):
        write(tmp_path / name)
    assert content(tmp_path) == before


def test_saved_predictions_appear_when_they_are_whole(
    tmp_path: Path, make_dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
):
    def half(file: Path, **arrays: object) -> None:
        file.write(b"half")  # type: ignore[call-arg,arg-type]
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="no space left"):
        save_predictions(tmp_path / "a.npz", make_dataset(3), Constant())
    assert content(tmp_path) == {}


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


ALLOWED = {
    "files.py": 1,  # the one place
    "data/entry.py": 1,  # in a folder that is renamed when it is whole
    "data/download.py": 1,  # inside `atomic_path`
    "adapters/saved.py": 1,  # inside `atomic_path`
    "runs/arrays.py": 1,  # inside `atomic_path`
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
