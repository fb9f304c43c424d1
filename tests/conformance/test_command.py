"""`btlib check`: a table, and an exit code that CI can use."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from btlib.cases import CASES, load_cases
from btlib.cli import app

FILE = """
import numpy as np

from btlib.adapters import CallablePredictor, Outputs
from btlib.cases import Prepared, case


@case("good-net", "sound", has_mask=True, has_classes=False, image_size=40, scaling="percentile")
def good(work):
    assert (work.dataset.image_size, work.dataset.scaling, work.device) == (40, "percentile", "cpu")
    return Prepared(CallablePredictor(lambda x: x, Outputs(0, mask_kind="probabilities")), "given")


@case("bad-net", "says logits", has_mask=True, has_classes=False)
def bad(work):
    return Prepared(CallablePredictor(lambda x: x - 2, Outputs(0, mask_kind="probabilities")), "given")
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = dict(load_cases()._items)
    (tmp_path / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    yield "mine.py"
    CASES._items.clear()
    CASES._items.update(known)


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_a_sound_case(file: str):
    result = run("check", f"{file}::good-net")
    assert result.exit_code == 0
    assert result.stdout.startswith("case good-net: sound\n  ✓ prepare\n  ✓ predict\n")
    assert "  – odd sizes  (the case takes 40 pixels only)\n" in result.stdout
    assert result.stdout.endswith("all checks hold\n")


def test_a_broken_one_says_what_to_change(file: str):
    result = run("check", f"{file}::bad")
    assert result.exit_code == 1
    assert "  ✗ ranges\n      predict: mask_prob: expected probabilities in 0…1, got -2…" in result.stdout
    assert "      To mend it: apply a sigmoid" in result.stdout
    assert "  – determinism  (once 'ranges' passes)\n" in result.stdout
    assert result.stdout.endswith("1 of 11 checks failed: ranges\n")


def test_a_case_nobody_knows(file: str):
    result = run("check", f"{file}::god-net")
    assert result.exit_code == 2
    assert "did you mean 'good-net'?" in result.stderr
    result = run("check", f"{file}::good-net", "--data", "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
