"""`btlib doctor`: facts and checks as a table and as JSON; a check that fails is told, and ends it with exit code 1."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cli import app
from btlib.doctor import diagnosis, facts, selftest
from btlib.errors import BtlibError, MissingExtraError


def run(*args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", *args])
    return result.exit_code, result.output


@pytest.mark.nightly
def test_what_it_says_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "ours.json").write_text("{}")
    code, output = run("--json", "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert code == 0, output
    assert output.endswith("all checks passed\n")
    assert found["schema"] == "btlib-diagnosis/1"
    assert set(found["facts"]) == {"versions", "machine", "devices", "choices", "places"}
    assert found["facts"]["versions"]["numpy"] == metadata.version("numpy")
    assert found["facts"]["places"]["own baselines"] == "ours"
    assert "thesis" in found["facts"]["places"]["shipped baselines"]
    assert {check["check"] for check in found["checks"]} == set(selftest.SELF_TEST)
    assert {check["outcome"] for check in found["checks"]} <= {"pass", "skip"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baselines", "found.json"], "nothing else is left"


def fails(place: Path, device: str) -> str:
    raise BtlibError("expected this, got that", where="here", hint="do so")


def breaks(place: Path, device: str) -> str:
    raise ZeroDivisionError


def lacks(place: Path, device: str) -> str:
    raise MissingExtraError("torch is not installed", hint="pip install 'btlib[torch]'")


def works(place: Path, device: str) -> str:
    assert list(place.iterdir()) == []
    return f"found on {device}"


def test_a_check_that_fails_is_told(monkeypatch: pytest.MonkeyPatch):
    checks = {"one": fails, "two": breaks, "three": lacks, "four": works}
    monkeypatch.setattr(selftest, "SELF_TEST", checks)
    code, output = run("--device", "cpu")
    assert code == 1
    assert "✗ one: here: expected this, got that" in output
    assert "Hint: do so" in output
    assert "✗ two: Traceback" in output
    assert "ZeroDivisionError" in output
    assert "– three: torch is not installed" in output
    assert "✓ four: found on cpu" in output
    assert output.endswith("2 of 4 checks failed: one, two\n")


def test_without_a_gpu_its_checks_are_refused(monkeypatch: pytest.MonkeyPatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, output = run("--gpu", "--device", "cpu")
    assert code == 2
    assert "--gpu: these checks need a CUDA device" in output


def test_a_gate_that_lets_everything_pass_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = selftest.judge
    monkeypatch.setattr(selftest, "judge", lambda result, baseline: real(baseline.result("D"), baseline))
    finding = diagnosis.examine("gate", selftest.gate, tmp_path, "cpu")
    assert finding.outcome == "fail"
    assert "pass, pass, pass, pass" in finding.message


def test_scores_that_are_wrong_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selftest.np, "eye", lambda n: __import__("numpy").ones((n, n)) / n)
    finding = diagnosis.examine("data", selftest.data, tmp_path, "cpu")
    assert finding.outcome == "fail"
    assert "perfect predictions have" in finding.message


def test_facts_are_plain_json(tmp_path: Path):
    found = facts.facts(tmp_path, "cpu")
    assert json.loads(json.dumps(found)) == found
    assert found["choices"]["device"] == "cpu"
    assert found["places"]["samples"] == "none; phantoms are used"


def test_a_broken_library_is_told_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken() -> None:
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(facts, "_devices", broken)
    monkeypatch.setattr(selftest, "SELF_TEST", {"one": breaks, "two": works})
    monkeypatch.setattr(facts, "_choices", lambda device: broken())
    code, output = run("--json", str(tmp_path / "found.json"))
    assert code == 1
    assert len(re.findall(r"unknown +OSError: libcudart\.so\.12", output)) == 2
    assert "✓ two: found on cpu" in output
    assert json.loads((tmp_path / "found.json").read_text())["facts"]["versions"]["python"]
