"""`btlib check`: a table, and an exit code that CI can use."""

import io
import sys
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from btlib.adapters.device_choice import DEVICES
from btlib.cases import CASES, load_cases
from btlib.cli import app
from btlib.cli.check import check
from btlib.options import declarations

FILE = """
import numpy as np

from btlib.adapters import CallablePredictor, Outputs
from btlib.cases import Prepared, case


@case("good-net", "sound", has_mask=True, has_classes=False, image_size=40, scaling="percentile")
def good(work):
    assert (work.train.image_size, work.train.scaling, work.case) == (40, "percentile", "good-net")
    return Prepared(CallablePredictor(lambda x: x, Outputs(0, mask_kind="probabilities")), "given")


@case("bad-net", "says logits", has_mask=True, has_classes=False)
def bad(work):
    return Prepared(CallablePredictor(lambda x: x - 2, Outputs(0, mask_kind="probabilities")), "given")


@case("broken-net", "cannot be had", has_mask=True, has_classes=False)
def broken(work):
    raise RuntimeError("no weights here")


@case("even-net", "takes even sizes", has_mask=True, has_classes=False, scaling="percentile")
def even(work):
    halves = lambda x: x[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2)
    return Prepared(CallablePredictor(halves, Outputs(0, mask_kind="probabilities")), "given")


@case("device-net", "fails by the name of its device", has_mask=True, has_classes=False)
def device(work):
    raise RuntimeError(f"device={work.device}")
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = dict(load_cases()._items)
    (tmp_path / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    yield "mine.py"
    CASES._items.clear()
    CASES._items.update(known)


ODD_NAMES = (
    "模型 نموذج Ωμέγα",
    "x" * 3000,
    "<b>bold</b>",
    "../a/b\\c",
    "'\"`$(id)",
    "-leading",
    "--help",
    "[red]",
    "[/red]",
    "[link=x]y[/link] :smile:",
)
"""Printed as they are."""

UNPRINTABLE = {
    "\x1b[31mred": "\\x1b[31mred",
    "a\r\n\tb\x00\x07": "a\\r\\n\\tb\\x00\\x07",
    "\x9b2J\x85\u2028": "\\x9b2J\\x85\\u2028",
    "\u202eright to left": "\\u202eright to left",
    "half \udce9": "half \\udce9",
}
"""And these as escapes."""

ODD_FILE = """
from btlib.cases import Prepared, case
from btlib.errors import BtlibError

NAME = {name!a}


@case(NAME, NAME, has_mask=True, has_classes=False)
def prepare(work):
    raise BtlibError(NAME, where=NAME, hint=NAME)
"""


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_a_sound_case(file: str):
    result = run("check", f"{file}::good-net")
    assert result.exit_code == 0
    assert result.stdout.startswith("case good-net: sound\n  ✓ prepare\n  ✓ fields\n  ✓ predict\n")
    assert "  – odd sizes  (the case accepts only 40 pixels)\n" in result.stdout
    assert result.stdout.endswith("all checks passed\n")


def test_a_broken_one_says_what_to_change(file: str):
    result = run("check", f"{file}::bad")
    assert result.exit_code == 1
    assert "  ✗ ranges\n      predict: mask_prob: expected probabilities in 0…1, got -2…" in result.stdout
    assert "      Hint: apply a sigmoid" in result.stdout
    assert "  – determinism  ('ranges' must pass first)\n" in result.stdout
    assert result.stdout.endswith("1 of 15 checks failed: ranges\n")


def test_a_case_nobody_knows(file: str):
    result = run("check", f"{file}::god-net")
    assert result.exit_code == 2
    assert "did you mean 'good-net'?" in result.stderr
    result = run("check", f"{file}::good-net", "--data", "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_an_error_of_prepare_is_printed_once_and_the_rest_has_no_predictor(file: str):
    result = run("check", f"{file}::broken")
    assert result.exit_code == 1
    assert result.output.count("no weights here") == 2  # the line of code, and the error
    assert result.output.count("RuntimeError: no weights here") == 1
    assert result.stdout.count("  (no predictor)\n") == 14
    assert result.stdout.endswith("1 of 15 checks failed: prepare\n")


def test_odd_sizes_are_a_note_that_fails_nothing(file: str):
    result = run("check", f"{file}::even")
    assert result.exit_code == 0
    assert "  ! odd sizes\n      images of 63×49: mask_prob: expected shape" in result.stdout
    assert "pad inside predict" in result.stdout
    assert result.stdout.endswith("all checks passed; with a note: odd sizes\n")


@pytest.mark.parametrize(
    ("options", "device"), [([], "auto"), (["--device", "auto"], "auto"), (["--device", "cpu"], "cpu")]
)
def test_the_device_is_that_of_a_run_unless_asked(file: str, options: list[str], device: str):
    assert f"RuntimeError: device={device}\n" in run("check", f"{file}::device", *options).stdout


def test_a_device_that_is_there_reaches_the_case(file: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "RuntimeError: device=cuda\n" in run("check", f"{file}::device", "--device", "cuda").stdout


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_an_error_before_the_case_is_read(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    (tmp_path / "mine.py").write_text("raise SystemExit('it was read')")
    result = run("check", f"{tmp_path}/mine.py::x", "--device", device)
    assert result.exit_code == 2
    assert f"this machine has no {device} device" in result.stderr
    assert "auto, cpu" in result.stderr
    assert result.stdout == ""


def test_without_torch_the_framework_of_the_case_has_to_find_the_device(file: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("btlib.adapters.device_choice.find_spec", lambda name: None)
    assert "RuntimeError: device=cuda\n" in run("check", f"{file}::device", "--device", "cuda").stdout


def test_the_devices_are_those_of_a_run():
    assert declarations()["device"].choices == DEVICES
    assert run("check", "A", "--device", "[/red]tpu").exit_code == 2


@pytest.mark.parametrize(("name", "shown"), [*((name, name) for name in ODD_NAMES), *UNPRINTABLE.items()])
def test_odd_names_are_printed_literally(name: str, shown: str, file: str):
    Path("odd.py").write_text(ODD_FILE.format(name=name))
    result = run("check", f"odd.py::{name}")
    if "\udce9" in name:  # half a character: no file could hold it
        assert result.exit_code == 2
        assert f"{shown}: not valid UTF-8 text" in result.stderr
        return
    assert result.exit_code == 1
    assert result.stdout.startswith(f"case {shown}: {shown}\n")
    assert run("check", "--", name).exit_code == 1
    assert result.stdout.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", [*ODD_NAMES, *UNPRINTABLE])
def test_odd_names_that_nobody_knows_are_printed_too(name: str, file: str):
    for spec in (name, f"{file}::{name}"):
        result = run("check", "--", spec)
        assert result.exit_code == 2
        assert "unknown case" in result.stderr
        assert result.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_lacks_letters_gets_escapes(encoding: str, file: str, monkeypatch: pytest.MonkeyPatch):
    Path("odd.py").write_text(ODD_FILE.format(name="模型"))
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(typer.Exit):
        check("odd.py")
    stream.flush()
    assert stream.buffer.getvalue().startswith(b"case \\u6a21\\u578b: \\u6a21\\u578b\n")
