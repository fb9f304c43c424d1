"""`btlib data import` and `export` at a terminal."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from btlib.cli import app

from .conftest import Make, pixels, regions, samples


def call(*args: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, args)])


@pytest.fixture
def source(make: Make) -> Path:
    files = {f"{part}/images/P{i}.png": pixels(i) for i, part in enumerate(("train", "train", "val", "test"))}
    return make(files | {name.replace("images", "masks"): regions(i) for i, name in enumerate(files)})


def test_from_images_to_nnunet(source: Path, tmp_path: Path) -> None:
    out, raw = tmp_path / "out", tmp_path / "Dataset001_Mine"
    done = call("import", "pairs", source, out, "--structures", "core, rim", "--patient", r"(P\d)", "--name", "mine")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == f"4 samples are described in {out}."
    assert [line.partition("#")[0].strip() for line in lines[1:]] == [
        "Next:",
        f"btlib init --data {out}",
        f"btlib run mine.py::mine --data {out}",
    ]
    assert {sample.patient for sample in samples(out).values()} == {f"P{i}" for i in range(4)}
    done = call("export", "nnunet", out, raw, "--split", "official")
    assert done.exit_code == 0, done.output
    assert "2 train, 1 val, 1 test cases of the split official" in done.output
    assert json.loads((raw / "splits_final.json").read_text())[0]["val"] == ["val_images_P2"]
    assert json.loads((raw / "dataset.json").read_text())["labels"] == {"background": 0, "core": 1, "rim": 2}


def test_notes_and_errors(source: Path, tmp_path: Path) -> None:
    (source / "test").rename(source / "more")
    done = call("import", "pairs", source, tmp_path / "out", "--copy", "--structures", "core,rim")
    assert done.output.startswith("Note: the parts train, val are no official split")
    assert "A run needs the patients: they are unknown for 4 samples" in done.output
    assert (tmp_path / "out/more/images/P3.png").exists()
    done = call("import", "pair", source, tmp_path / "no")
    assert done.exit_code != 0
    assert "did you mean 'pairs'" in str(done.output) + str(done.exception)
    done = call("export", "nnunet", tmp_path / "out", tmp_path / "raw", "--split", "oficial")
    assert "did you mean 'official'" in str(done.output) + str(done.exception)


def test_the_help_lists_the_layouts() -> None:
    shown = call("import", "--help").output
    for name in ("pairs:", "class-folders:", "nnunet:", "monai:", "brisc:", "nifti:", "dicom:", "figshare:"):
        assert name in shown
