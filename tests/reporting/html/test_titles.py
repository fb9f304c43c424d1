"""`btlib report --name`: what the page calls a run, in place of its folder's name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from btlib.cli import app
from btlib.runs import RunStore

from .reader import Reader


def report(*args: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, args)])


def labels(page: Reader) -> list[str]:
    return [str(a["data-label"]) for tag, a in page.tags if tag == "tr" and "data-label" in a]


@pytest.mark.usefixtures("undrawn")
def test_one_run(run: Path, tmp_path: Path):
    folder = shutil.copytree(run, tmp_path / "folder")
    assert report(folder, "--name", "Adam, 8 epochs").exit_code == 0
    html = (folder / "index.html").read_text()
    page = Reader(html)
    assert "<title>btlib · Adam, 8 epochs</title>" in html
    assert "<h1>Adam, 8 epochs</h1>" in html
    assert "<h3>Adam, 8 epochs</h3>" in html
    assert "folder" in page.text["origin"]  # where it lies is still said
    assert labels(page)[:2] == ["A", "B"]


def test_two_runs(run: Path, tmp_path: Path):
    html = tmp_path / "both.html"
    done = report(run.parent / "better", run, "--name", "before", "--name", "after", "--output", html)
    assert done.exit_code == 0, done.output
    page, text = Reader(html.read_text()), html.read_text()
    assert labels(page)[:3] == ["A · before", "A · after", "<script>alert('x')</script> · before"]
    assert "<h1>before and after</h1>" in text
    assert "<h3>before</h3>" in text
    assert "compared with before" in page.text["gallery"]
    for figure in ("A · after\n", ">A · before</text>", "A · after − A · before"):  # in figures, too
        assert figure.strip() in text
    assert "· run" not in text
    assert "· better" not in text


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("cases", "shown"), [(["A", "B", "C"], "3 cases"), (["A"], "case A")])
def test_a_run_without_a_name_is_described_and_not_called_by_its_time(
    cases: list[str], shown: str, run: Path, tmp_path: Path
):
    folder = RunStore(shutil.copytree(run, tmp_path / "2026-11-30_194736.856884-smoke"))
    info = folder.info().model_copy(update={"cases": cases, "started": "2026-11-30T19:47:36+00:00"})
    folder.save_info(info)
    assert report(folder.path).exit_code == 0
    html = (folder.path / "index.html").read_text()
    assert f"<h1>{info.tier} run of {shown}, 2026-11-30</h1>" in html
    assert "194736" in Reader(html).text["origin"]


@pytest.mark.usefixtures("undrawn")
def test_without_names_two_folders_of_one_name_are_told_apart(run: Path, tmp_path: Path):
    other = shutil.copytree(run, tmp_path / "run")
    assert report(run, other, "--output", tmp_path / "x.html").exit_code == 0
    page = Reader((tmp_path / "x.html").read_text())
    assert labels(page)[:2] == ["A · run [1]", "A · run [2]"]
    assert "run [1] and run [2]" in page.text["verdicts"]


@pytest.mark.parametrize(
    ("runs", "names", "told"),
    [
        (1, ["a", "b"], "expected 1, one for each source, got 2"),
        (2, ["a"], "expected 2, one for each source, got 1"),
        (2, ["a", "a"], "expected different names, found 'a' twice"),
    ],
)
def test_wrong_names_are_an_error_before_anything_is_read(runs: int, names: list[str], told: str, tmp_path: Path):
    done = report(*[tmp_path / "nowhere"] * runs, *(word for name in names for word in ("--name", name)))
    assert done.exit_code == 2
    assert told in done.stderr
    assert "nowhere" not in done.stderr
    assert "give" in done.stderr


@pytest.mark.usefixtures("undrawn")
def test_many_runs_of_long_names_have_a_file(make_run: Callable[..., Path], tmp_path: Path):
    run = make_run(tmp_path / "run", n=12, names=("B",))
    others = [shutil.copytree(run, tmp_path / f"{'x' * 80}{k}") for k in range(3)]
    done = report(others[0], *others)
    assert done.exit_code == 0, done.output
    assert (others[0] / "with-3-others.html").exists()
