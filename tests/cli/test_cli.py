from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import btlib
from btlib.cli import app
from btlib.data import write_slice

ROOT = Path(__file__).parents[2]


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six sound samples of three patients."""
    home = tmp_path / "figshare" / "data"
    home.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for n in range(1, 7):
        mask = np.zeros((40, 52), bool)
        mask[3:9, 20:31] = True
        image = rng.integers(0, 3000, (40, 52)).astype(np.int16)
        write_slice(home / f"{n}.mat", image, mask, n % 3, patient=f"P{n % 3}")
    return home


def test_version():
    assert run("--version").stdout == f"btlib {btlib.__version__}\n"


def test_without_a_command_it_helps():
    result = run()
    assert "baseline" in result.output
    assert "data" in result.output


def test_a_sound_folder(folder: Path):
    result = run("data", "verify", folder.parent, "--expect", 6)
    assert result.exit_code == 0
    assert "6 valid samples (6 figshare), 0 faults" in result.stdout
    for name, count in (("meningioma", 2), ("40×52", 6), ("3 patients", 2)):
        assert any(name in line and str(count) in line for line in result.stdout.splitlines())


def test_every_bad_file_is_named_and_the_exit_code_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (folder / "2.mat").write_bytes(b"not HDF5")
    whole = (folder / "4.mat").read_bytes()
    (folder / "4.mat").write_bytes(whole[: len(whole) // 2])
    (folder / "05.mat").write_bytes(whole)
    (folder / "cvind.mat").write_bytes(b"folds")
    result = run("data", "verify", folder, "--expect", 7)
    assert result.exit_code == 1
    faults = [line for line in result.stdout.splitlines() if line.startswith("Fault:")]
    assert len(faults) == 4
    for name in ("2.mat", "4.mat", "5.mat", "7.mat"):
        assert sum(f"/{name}" in fault for fault in faults) >= 1
    assert not any("cvind" in fault for fault in faults)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["data", "verify", "nowhere"], "nowhere: expected a folder of slices, found nothing"),
        (["baseline", "check", "nowhere.json"], "nowhere.json: no such baseline file"),
        (["baseline", "accept", "nowhere", "--name", "x", "--reason", "y"], "unknown run 'nowhere'"),
    ],
)
def test_an_error_is_told_without_a_traceback(args: list[str], told: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*args)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Hint:" in result.stderr
    assert "Traceback" not in result.output


def test_phantoms_are_drawn_and_found_sound(tmp_path: Path):
    assert run("data", "phantom", tmp_path / "ph", "--slices", 12).exit_code == 0
    result = run("data", "verify", tmp_path / "ph", "--expect", 12)
    assert result.exit_code == 0
    assert "12 valid samples (12 phantom), 0 faults" in result.stdout
    assert run("data", "phantom", tmp_path / "ph", "--slices", 12).exit_code == 2  # never over what is there


def test_the_committed_baselines_pass_the_check():
    result = run("baseline", "check", *sorted((ROOT / "baselines").glob("*.json")))
    assert result.exit_code == 0
    assert "thesis.json: valid, published, 7 cases" in result.stdout


def test_accept_needs_a_reason(tmp_path: Path):
    assert run("baseline", "accept", tmp_path, "--name", "x").exit_code == 2


@pytest.mark.parametrize(("name", "reason"), [("../evil", "why"), ("", "why"), ("a/b", "why"), ("mine", "  ")])
def test_a_baseline_has_a_plain_name_and_a_reason(name: str, reason: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports" / "run").mkdir(parents=True)
    result = run("baseline", "accept", "reports/run", "--name", name, "--reason", reason)
    assert result.exit_code == 2
    assert "expected" in result.stderr
    assert list(tmp_path.glob("**/*.json")) == []
