"""Tables of a Markdown file from baselines: the committed page is up to date, and other text is left alone."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.cli import app
from btlib.errors import OptionError, UnknownNameError
from btlib.reporting.results_page import fill

ROOT = Path(__file__).parents[2]
BASELINES = ROOT / "baselines"


def page(*marks: str) -> str:
    return "# Title\n\n" + "\n".join(f"<!-- btlib: {mark} -->\nbefore\n<!-- btlib: end -->\nafter" for mark in marks)


def test_the_committed_page_is_what_the_baselines_say():
    text = (ROOT / "docs" / "results.md").read_text()
    assert fill(text, BASELINES) == text, "run: btlib results docs/results.md"
    assert len(text.splitlines()) <= 150
    assert "611" in text[:200], "it opens with what a split by slice does"


def test_the_splits_say_who_is_trained_on():
    text = fill(page("splits"), BASELINES)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert [cell.strip() for cell in rows["slice-seed42"].split("|")[2:5]] == ["612", "173", "611"]
    assert [cell.strip() for cell in rows["patient-5fold-1 … -5"].split("|")[2:5]] == ["602 … 624", "41 … 42", "0"]
    assert "before" not in text
    assert text.startswith("# Title")
    assert text.endswith("after")
    assert fill(text, BASELINES) == text


def test_a_table_has_every_case_with_persons_and_intervals():
    text = fill(page("table thesis smoke"), BASELINES)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 14
    assert rows[0] == ["A", "thesis", "published", "slice-seed42", "612", "173", "0.7311", "–"]
    *what, dice, accuracy = rows[7]
    assert what == ["A", "smoke", "smoke, 12 epochs", "slice-seed42", "48", "27"]
    assert dice.startswith("0.8913 (0.")
    assert accuracy == "–"


def test_pairs_are_those_that_were_asked_for():
    text = fill(page("pairs smoke : dice E/D G/A : accuracy E/D"), BASELINES)
    firsts = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:]
    assert firsts == ["E − D", "G − A", "E − D"]


def test_the_setup_has_a_line_a_command():
    text = fill(page("setup smoke"), BASELINES)
    rows = [line for line in text.splitlines() if line.startswith("| smoke")]
    assert len(rows) == 1
    assert "A B C D E F G" in rows[0]
    assert "pytest benchmarks" in rows[0]


@pytest.mark.parametrize(
    ("text", "error", "problem"),
    [
        (page("tabel smoke"), UnknownNameError, "did you mean 'table'"),
        ("<!-- btlib: splits -->\n", OptionError, "has no `<!-- btlib: end -->`"),
        (page("table smok"), UnknownNameError, "did you mean 'smoke'"),
        (page("table"), OptionError, "expected `table BASELINE …`, got nothing"),
        (page("setup"), OptionError, "expected `setup BASELINE …`, got nothing"),
        (page("leakage smoke"), OptionError, "expected `leakage BY_SLICE BY_PATIENT`, got smoke"),
        (page("pairs smoke"), OptionError, "expected `pairs BASELINE … : METRIC"),
        (page("pairs : dice E/D"), OptionError, "expected `pairs BASELINE … : METRIC"),
        (page("pairs smoke : dice E-D"), OptionError, "expected `pairs BASELINE … : METRIC"),
        (page("pairs smoke : dice D/E"), OptionError, "no such pair: D/E, dice"),
        (page("pairs smoke : dice E/Z"), OptionError, "no such pair: E/Z, dice"),
        (page("pairs nowhere : dise E/D"), UnknownNameError, "pairs nowhere: unknown metric 'dise'(.|\n)*'dice'"),
        (page("pairs nowhere : hd95 E/D"), UnknownNameError, "unknown metric 'hd95'(.|\n)*known: accuracy, dice"),
        (page("pairs smok : dice E/D"), UnknownNameError, "did you mean 'smoke'"),
        (page("pairs thesis : dice E/A"), OptionError, "no such pair: E/A, dice"),
    ],
)
def test_a_wrong_mark_is_an_error(text: str, error: type[Exception], problem: str):
    with pytest.raises(error, match=problem):
        fill(text, BASELINES)


def test_the_command_writes_and_checks(tmp_path: Path):
    file = tmp_path / "page.md"
    file.write_text(page("splits"))
    shutil.copytree(BASELINES, tmp_path / "baselines")

    def run(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["results", str(file), "--folder", str(tmp_path / "baselines"), *more])
        return done.exit_code, done.output

    assert run("--check") == (1, f"{file}: not up to date\n")
    assert "before" in file.read_text()
    assert run()[0] == 0
    assert run("--check") == (0, f"{file}: up to date\n")
    assert "| 611 " in file.read_text()
    file.unlink()
    assert run()[0] == 2
