"""Tables of a Markdown file from baselines: the committed page is up to date, and other text is left alone."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from btlib import Baseline
from btlib.cli import app
from btlib.errors import OptionError, UnknownNameError
from btlib.evaluation.aggregate import per_sample
from btlib.gate.baseline_case import Provenance
from btlib.reporting import PairTest
from btlib.reporting.results_page import _difference, _provenance, _seen, _span, fill
from btlib.results import PatientFacts, SeedRun
from btlib.sample_table import SampleTable

from .cells import rows

ROOT = Path(__file__).parents[2]
BASELINES = ROOT / "baselines"


def page(*marks: str) -> str:
    return "# Title\n\n" + "\n".join(f"<!-- btlib: {mark} -->\nbefore\n<!-- btlib: end -->\nafter" for mark in marks)


def test_the_committed_page_is_what_the_baselines_say():
    text = (ROOT / "docs" / "results.md").read_text()
    assert fill(text, BASELINES) == text, "run: btlib results docs/results.md"
    assert len(text.splitlines()) <= 150
    assert "611" in text[:200], "it opens with what a split by sample does"


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
    assert dice.startswith("0.7774 (0.")
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
        (page("pairs smoke : dice D/E"), OptionError, "unknown pair D/E for dice"),
        (page("pairs smoke : dice E/Z"), OptionError, "unknown pair E/Z for dice"),
        (page("pairs nowhere : dise E/D"), UnknownNameError, "pairs nowhere: unknown metric 'dise'(.|\n)*'dice'"),
        (page("pairs nowhere : hd95 E/D"), UnknownNameError, "unknown metric 'hd95'(.|\n)*known: accuracy, dice"),
        (page("pairs smok : dice E/D"), UnknownNameError, "did you mean 'smoke'"),
        (page("pairs thesis : dice E/A"), OptionError, "unknown pair E/A for dice"),
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


@pytest.fixture
def own(tmp_path: Path, make_table: Callable[..., SampleTable], baseline_of: Callable[..., Baseline]) -> Path:
    """Two measured baselines: one of X with two seeds and Y, the other of X and W, which alone knows its patients."""
    table, worse = make_table(), make_table(wrong=12, worse=0.1, seed=3)
    one, other = baseline_of(table, "X"), baseline_of(worse, "Y*1")
    seeds = [SeedRun(seed=k, fingerprint=None, samples=table) for k in (1, 2)]
    cases = {"X": one.cases["X"].model_copy(update={"runs": seeds}), **other.cases}
    made = {"recipe": {"name": "modern", "epochs": 8}, "environment": {"gpu": "H200", "cpu": "c", "torch": "2.11"}}
    one.model_copy(update={"name": "one", "cases": cases, "source": "pytest -k 'x' -s a|b", **made}).save(
        tmp_path / "one.json"
    )
    known = one.conditions.model_copy(update={"patients": PatientFacts(source="files", n_test=60, seen=0)})
    cpu = {"environment": {"cpu": "c", "simd": "avx2 fma", "torch": "2.12"}}
    by_itself = other.cases["Y*1"].model_copy(
        update={"made": Provenance(**_plain(one) | {"source": "alone", "recipe": None, **cpu})}
    )
    two = {"name": "two", "conditions": known, "cases": {"X": other.cases["Y*1"], "W": by_itself}}
    one.model_copy(update=two).save(tmp_path / "two.json")
    return tmp_path


def _plain(baseline: Baseline) -> dict[str, Any]:
    return {name: getattr(baseline, name) for name in Provenance.model_fields}


def test_drifting_batch_norm_is_named(own: Path):
    one = Baseline.load(own / "one.json")
    recipe = {"name": "thesis", "epochs": 4, "drifting_batch_norm": True}
    drifting = Provenance(**_plain(one) | {"recipe": recipe})
    cases = {"X": one.cases["X"].model_copy(update={"made": drifting}), "Y*1": one.cases["Y*1"]}
    one.model_copy(update={"cases": cases}).save(own / "one.json")
    trained = [row["training"] for row in rows(fill(page("table one"), own))]
    assert trained == ["thesis, 4 epochs, drifting batch norm, 2 seeds", "modern, 8 epochs"]


def test_every_cell_of_a_table(own: Path, make_table: Callable[..., SampleTable]):
    first, second, third, fourth = rows(fill(page("table one two"), own))
    assert {name: cell for name, cell in first.items() if "(" not in name} == {
        "case": "X",
        "baseline": "one",
        "training": "modern, 8 epochs, 2 seeds",
        "split": "slice-seed42",
        "n": "60",
        "persons": "–",
    }
    assert first["Dice (95 %)"].startswith(f"{per_sample(make_table(), 'dice').mean():.4f} (")
    assert first["accuracy (95 %)"].startswith("1.0000 (")
    assert second["accuracy (95 %)"].startswith("0.8000 (")
    assert (second["case"], second["training"]) == (r"Y\*1", "modern, 8 epochs")
    assert [(row["case"], row["baseline"], row["training"], row["persons"]) for row in (third, fourth)] == [
        ("W", "two", "published", "60"),
        ("X", "two", "published", "60"),
    ]


def test_every_cell_of_the_pairs(own: Path, make_table: Callable[..., SampleTable]):
    first, second, third = rows(fill(page("pairs one two : dice Y*1/X : accuracy Y*1/X X/W"), own))
    assert [(row["pair"], row["metric"]) for row in (first, second, third)] == [
        *((r"Y\*1 − X", "Dice"), (r"Y\*1 − X", "accuracy"), ("X − W", "accuracy")),
    ]
    assert [second["two"], third["one"]] == ["–", "–"]
    assert second["one"].startswith("-0.2000 (-0.")
    assert third["two"] == "+0.0000 (+0.0000 … +0.0000), p 1.00, within ±0.02"


def test_the_setup_has_a_line_for_each_way_of_making(own: Path):
    one, alone, two = rows(fill(page("setup one two"), own).replace(r"\|", "/"))
    assert one == {
        "baseline": "one",
        "cases": r"X Y\*1",
        "measured": "2026",
        "on": "H200, torch 2.11",
        "by": "`pytest a/b`",
    }
    assert (two["cases"], two["on"], two["by"]) == ("X", "–, –, torch –", "`s`")
    assert (alone["cases"], alone["on"], alone["by"]) == ("W", "c, avx2, torch 2.12", "`alone`")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("pytest benchmarks -k A -s", "pytest benchmarks"),
        ("pytest -k 'A or B' --bt-tier full", "pytest --bt-tier full"),
        ("pytest -p no:cacheprovider --bt-timeout 600 --bt-seeds 3", "pytest --bt-seeds 3"),
        ("pytest --bt-split p-skip", "pytest --bt-split p-skip"),
    ],
)
def test_what_changes_no_number_is_left_out_of_a_command(command: str, shown: str):
    made = Provenance(source=command, created="2026", reason="r")
    assert _provenance(made)[2] == shown


PAIR = PairTest(
    *("all pairs", "B", "A", "dice", 60, "patient", 20, 0.25, 0.125, 0.375),
    *(0.5, False, 0.75, False, None, None, False, False, ""),
)


@pytest.mark.parametrize(
    ("p_holm", "bound", "equivalent", "told"),
    [
        (0.754, False, False, "p 0.75"),
        (0.754, False, True, "p 0.75, within ±0.02"),
        (0.0021, True, False, "p ≤ 0.0021"),
        (0.00004, True, False, "p < 0.0001"),
    ],
)
def test_the_smallest_p_is_an_upper_bound(p_holm: float, bound: bool, equivalent: bool, told: str):
    test = replace(PAIR, p_holm=p_holm, p_holm_is_bound=bound, equivalent=equivalent)
    assert _difference(test) == f"+0.2500 (+0.1250 … +0.3750), {told}"
    assert _difference(None) == "–"


def test_who_is_in_training_and_test():
    import numpy as np

    persons = np.array([1, 1, 2, 3, 3, 4])
    assert _seen(persons, np.array([0, 3]), np.array([1, 2, 4, 5])) == (4, 4, 2)
    assert (_span([3, 1, 2]), _span([4, 4])) == ("1 … 3", "4")
