"""Faults for a terminal, and everything in a file."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.data.sources.figshare.scan import scan
from btlib.data.sources.figshare.scan_output import fault_lines, patients_line, write_report
from btlib.errors import DataError, OptionError


def faults(count: int, hint: str | None) -> list[DataError]:
    return [DataError(f"{hint} fault", where=f"/slices/{number}.mat", hint=hint) for number in range(count)]


def named(text: str) -> int:
    return len(re.findall(r"^Fault: /slices/\d+\.mat: ", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"one": 1}, 1),
        ({"one": 20}, 20),
        ({"one": 21}, 20),
        ({"one": 3000, "two": 2}, 20),
        ({"one": 500, "two": 400, "three": 1, "four": 7}, 20),
        ({f"hint {k}": 3 for k in range(30)}, 20),
    ],
)
def test_each_hint_once_and_at_most_twenty_files(counts: dict[str, int], shown: int):
    every = [fault for hint, count in counts.items() for fault in faults(count, hint)]
    text = "\n".join(fault_lines(every[::2] + every[1::2]))  # those of one hint do not follow each other
    assert named(text) == shown
    more = sum(int(n) for n in re.findall(r"^… and (\d+) more$", text, re.MULTILINE))
    assert shown + more == len(every)
    for hint in counts:
        assert len(re.findall(rf"{hint}$", text, re.MULTILINE)) == 1


def test_each_hint_has_a_file_where_there_is_room():
    groups = list(fault_lines([*faults(3000, "many"), *faults(2, "few")]))
    assert [named(group) for group in groups] == [19, 1]
    assert [group.splitlines()[-2] for group in groups] == ["… and 2981 more", "… and 1 more"]


def test_faults_without_a_hint_and_none_at_all():
    assert list(fault_lines(faults(1, None))) == ["Fault: /slices/0.mat: None fault"]
    assert list(fault_lines([])) == []


@pytest.mark.parametrize(
    ("patients", "line"),
    [
        ({}, "0 patients; slices without a patient id: 0"),
        ({None: 4}, "0 patients; slices without a patient id: 4"),
        ({"a": 1, None: 4, "b": 9, "c": 2}, "3 patients, slices per patient: min 1, median 2, max 9; "),
        ({"a": 1, "b": 2}, "2 patients, slices per patient: min 1, median 1.5, max 2; slices without a patient id: 0"),
    ],
)
def test_patients_in_a_line(patients: dict[str | None, int], line: str):
    assert patients_line(patients).startswith(line)


def test_the_file_holds_all(folder: Path, make_slice: Callable[..., object], tmp_path: Path):
    make_slice(folder / "20.mat", label=1)
    for number in range(100, 130):
        (folder / f"{number}.mat").write_bytes(b"nothing")
    report = scan(folder, expect=200)
    write_report(report, tmp_path / "deep" / "verify.json")
    held = json.loads((tmp_path / "deep" / "verify.json").read_text(encoding="utf-8"))
    assert held["patients"] == [*({"id": f"P{k:02d}", "slices": 1} for k in range(6)), {"id": None, "slices": 1}]
    assert held["faults"] == [{"where": f.where, "problem": f.problem, "hint": f.hint} for f in report.faults]
    assert len(held["faults"]) == 193
    assert (held["schema"], held["folder"], held["slices"]) == ("btlib-verify/1", str(folder), 7)
    assert (held["origins"], held["notes"]) == ({"figshare": 7}, list(report.notes))
    assert held["classes"] == {"meningioma": 2, "glioma": 3, "pituitary": 2}
    assert held["sizes"] == [{"height": 37, "width": 52, "slices": 7}]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["verify.json"]


def test_text_that_utf8_cannot_hold_is_written_as_escapes(
    folder: Path, make_slice: Callable[..., object], tmp_path: Path
):
    make_slice(folder / "20.mat", label=1, patient="half \udce9")
    make_slice(folder / "21.mat", label=0, patient="half \udce9")
    (folder / "\udcff.mat").touch()
    write_report(scan(folder), tmp_path / "verify.json")
    held = json.loads((tmp_path / "verify.json").read_text(encoding="utf-8"))
    assert {"id": "half \\udce9", "slices": 2} in held["patients"]
    assert [fault["where"] for fault in held["faults"]] == [f"{folder}/\\udcff.mat"]
    assert any("half \\udce9" in note for note in held["notes"])


def test_a_file_that_cannot_be_written(folder: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "verify.json"):
        with pytest.raises(OptionError, match=r"the report cannot be written(.|\n)*--out"):
            write_report(scan(folder), path)
