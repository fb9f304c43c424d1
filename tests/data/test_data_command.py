"""`btlib data` at a terminal: short however bad the folder is, and literal whatever its name is."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from typer.testing import CliRunner, Result

from btlib.cli import app
from btlib.data import read_slice, write_slice

ODD_NAMES = ("模型 نموذج", "[red]", "[b]x[%b]", "<b>", "-leading", "'\"`$(id)", ":smile:", "\x1b[31m\r\x07", "\udce9")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's own to stand in."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, args)])


def test_five_kinds_of_damage_are_all_named_each_hint_once(folder: Path, here: Path, tmp_path: Path):
    """One bad file does not end it, whatever HDF5 says of that file."""
    sound = (folder / "1.mat").read_bytes()
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(256)) * 20)
    numbers = iter(range(100, 200))

    def damaged(content: bytes) -> Path:
        path = folder / f"{next(numbers)}.mat"
        path.write_bytes(content)
        return path

    turned = bytearray(sound)
    turned[len(sound) // 2] ^= 255
    cut, text = damaged(sound[:-100]), damaged(b"MATLAB 5.0 MAT-file")
    pixels = damaged(bytes(turned))
    pointing, empty_mask = damaged(sound), damaged(sound)
    with h5py.File(pointing, "r+") as file:
        del file["cjdata/image"]
        file.create_dataset("cjdata/image", (37, 52), "u1", external=[(str(secret), 0, 37 * 52)])
    with h5py.File(empty_mask, "r+") as file:
        file["cjdata/tumorMask"][()] = 0
    os.mkfifo(pipe := folder / f"{next(numbers)}.mat")
    result = run("verify", folder)
    assert result.exit_code == 1
    for path, problem in (
        (cut, "truncated"),
        (text, "older v5 format"),
        (pixels, "cjdata/image: damaged|HDF5 cannot read"),
        (pointing, "its values are in another file, which is never read"),
        (empty_mask, "an empty mask"),
        (pipe, "found a folder, pipe, socket or device"),
    ):
        assert re.search(rf"Fault: {re.escape(str(path))}: .*({problem})", result.stdout), result.stdout
    assert result.stdout.count("Hint: download this file again") == 1
    assert "6 faults" in result.stdout


def test_a_bad_folder_is_told_in_a_screenful_and_wholly_in_a_file(folder: Path, here: Path):
    for number in range(12, 400):
        (folder / f"{number}.mat").write_bytes(b"nothing")
        (folder / f"copy of {number}.mat").touch()
    result = run("verify", folder, "--expect", 3000)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert len(lines) < 60
    assert sum(line.startswith("Fault: ") for line in lines) == 20
    for hint in ("download this file again", "rename the file", "download the slices with"):
        assert result.stdout.count(hint) == 1
    assert "All patients and faults are in verify.json" in lines
    faults = json.loads((here / "verify.json").read_text(encoding="utf-8"))["faults"]
    assert f"6 valid samples (6 figshare), {len(faults)} faults" in lines
    assert len(faults) == 388 + 388 + (3000 - 394)


def test_many_patients_and_many_sizes_are_short(folder: Path, make_slice: Callable[..., object], here: Path):
    one = read_slice(folder / "1.mat")
    for number in range(100, 127):
        write_slice(folder / f"{number}.mat", one.image[: number - 90], one.mask[: number - 90], 0, patient=f"{number}")
    for number in range(127, 132):
        make_slice(folder / f"{number}.mat")
    result = run("verify", folder)
    assert result.exit_code == 0
    assert "33 patients, slices per patient: min 1, median 1, max 1; slices without a patient id: 5" in result.stdout
    assert len(result.stdout.splitlines()) < 40
    table = [line for line in result.stdout.splitlines() if "×" in line or "other sizes" in line]
    assert len(table) == 11
    assert "18 other sizes" in table[-1]
    assert "37×52" in table[0]
    assert sum(int(line.split("│")[2]) for line in table) == 38
    assert list(here.iterdir()) == []


def test_out_is_written_though_nothing_is_wrong(folder: Path, here: Path):
    result = run("verify", folder, "--out", "deep/all.json")
    assert result.exit_code == 0
    assert len(json.loads((here / "deep" / "all.json").read_text(encoding="utf-8"))["patients"]) == 6
    assert "deep/all.json" in result.stdout
    assert [path.name for path in here.iterdir()] == ["deep"]


def test_out_takes_the_place_of_the_usual_file(folder: Path, here: Path):
    assert run("verify", folder, "--expect", 12, "--out", "all.json").exit_code == 1
    assert [path.name for path in here.iterdir()] == ["all.json"]


def test_a_file_that_cannot_be_written(folder: Path, here: Path):
    (here / "verify.json").mkdir()
    result = run("verify", folder, "--expect", 12)
    assert result.exit_code == 1  # for the faults: nobody asked for the file
    assert "the report cannot be written" in result.stderr
    assert "All patients" not in result.stdout
    result = run("verify", folder, "--out", "verify.json")
    assert result.exit_code == 2
    assert "the report cannot be written" in result.stderr


def visible(name: str) -> str:
    return name if name.isprintable() else name.encode("unicode_escape").decode()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_folder_of_any_name_is_printed_literally(name: str, here: Path):
    """Its own name, and that of a file in it."""
    shown = visible(name)
    result = run("phantom", "--slices", 3, "--", name)
    assert result.exit_code == 0
    assert result.stdout == f"3 phantoms are in {shown}/data\n"
    (here / name / "data" / f"{name}.mat").touch()
    result = run("verify", "--expect", 5, "--", name)
    assert result.exit_code == 1
    assert f"Fault: {shown}/data/5.mat: is missing\n" in result.stdout
    assert f"Fault: {shown}/data/{shown}.mat: expected a file name" in result.stdout
    assert result.stdout.replace("\n", "").isprintable()
    assert run("verify", "--", f"{name}/nowhere").exit_code == 2


@pytest.mark.parametrize("code", ODD_NAMES)
def test_a_patient_of_any_code_is_printed_literally(code: str, folder: Path, make_slice: Callable[..., object]):
    for number in (20, 21):
        make_slice(folder / f"{number}.mat", label=number % 2, patient=code)
    result = run("verify", folder)
    assert result.exit_code == 0
    assert f"have slices of more than one tumour type: {visible(code)}\n" in result.stdout
