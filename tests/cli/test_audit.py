"""`btlib data audit`: what the screen shows, the files that it writes, and its exit code."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from btlib.cli import app
from btlib.data.audit.finding import AuditReport

H, W = 40, 56


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve sound images of six patients, in two parts."""
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "scans"
    home.mkdir()
    rows = ["file_name,mask,label,patient,split"]
    for k in range(12):
        pixels = np.random.default_rng(k).integers(20, 220, (H, W)).astype(np.uint8)
        mask = np.zeros((H, W), np.uint8)
        mask[5 + k : 20 + k, 9:30] = 255
        pixels[mask > 0] //= 3
        Image.fromarray(pixels).save(home / f"{k}.png")
        Image.fromarray(mask).save(home / f"m{k}.png")
        rows.append(f"{k}.png,m{k}.png,{'ab'[k // 2 % 2]},P{k // 2},{'test' if k < 4 else 'train'}")
    (home / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    return home


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["data", "audit", *map(str, arguments)])
    return result.exit_code, result.output


def test_sound_data_pass_and_leave_no_file(scans: Path, tmp_path: Path):
    code, text = run(scans)
    assert code == 0, text
    assert "no errors or warnings" in text or "0 errors" in text
    assert (tmp_path / "audit.json").exists() == ("warning" in text.replace("or warnings", ""))


def test_an_error_is_exit_code_1_and_everything_is_in_the_file(scans: Path, tmp_path: Path):
    for k in range(8):
        (scans / f"{k}.png").write_bytes(b"no image")
    code, text = run(scans)
    assert code == 1
    assert "… and 3 more" in text, "the screen shows five"
    stored = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert stored["schema"] == "btlib-audit/1"
    (files,) = [one for one in stored["findings"] if one["check"] == "files"]
    assert len(files["items"]) == 8, "the file contains all"
    assert text.count(files["hint"]) == 1
    assert AuditReport.model_validate_json((tmp_path / "audit.json").read_text(encoding="utf-8")).readable == 4


def test_the_page_contains_its_thumbnails_and_escapes_names(scans: Path, tmp_path: Path):
    name = "<b>copy</b>&.png".replace("/", "")
    (scans / name).write_bytes((scans / "0.png").read_bytes())
    with (scans / "metadata.csv").open("a", encoding="utf-8") as table:
        table.write(f"\n{name},m0.png,a,P9,train")
    code, text = run(scans, "--out", tmp_path / "page")
    assert code == 1, text
    page = (tmp_path / "page/index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;copy&lt;b&gt;&amp;.png" in page
    assert "<b>copy" not in page
    assert "data:image/" in page
    assert {path.name for path in (tmp_path / "page").iterdir()} == {"index.html", "audit.json"}


def test_warnings_are_exit_code_1_only_if_asked(scans: Path):
    Image.fromarray(np.zeros((H, W), np.uint8)).save(scans / "m5.png")
    text = (scans / "metadata.csv").read_text(encoding="utf-8").replace("11.png,m11.png,b,P5", "11.png,m11.png,b,P5")
    (scans / "copy.png").write_bytes((scans / "11.png").read_bytes())
    (scans / "metadata.csv").write_text(f"{text}\ncopy.png,m11.png,b,P5,train", encoding="utf-8")
    assert run(scans)[0] == 0
    assert run(scans, "--strict")[0] == 1


def test_two_folders_with_a_common_image(scans: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    Image.fromarray(np.asarray(Image.open(scans / "7.png"))[:, ::-1]).save(other / "x.png")
    Image.fromarray(np.random.default_rng(99).integers(0, 255, (H, W)).astype(np.uint8)).save(other / "y.png")
    (other / "metadata.csv").write_text("file_name,label,split\nx.png,a,test\ny.png,b,train\n", encoding="utf-8")
    for pair in ((scans, other), (other, scans)):
        code, text = run(*pair)
        assert code == 1, "a training image of one set is a test image of the other"
        assert "7.png" in text
        assert "x.png" in text
        assert "mirrored" in text


def test_a_folder_without_samples_is_an_error(tmp_path: Path):
    code, text = run(tmp_path / "nowhere")
    assert code == 2
    assert "Hint" in text
