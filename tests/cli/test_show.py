"""`btlib show`: values side by side, each with its interval, and nothing left out in silence."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from btlib.cli import app
from btlib.evaluation.aggregate import per_sample
from btlib.results import Conditions
from btlib.runs import CaseRecord, RunStore
from btlib.runs.cell import Cell
from btlib.sample_table import SampleTable

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
Table = Callable[..., SampleTable]


def show(*args: object) -> Result:
    return CliRunner().invoke(app, ["show", *map(str, args)])


def cells(result: Result) -> dict[tuple[str, str], list[str]]:
    """Case and metric → the cells of its row."""
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in result.stdout.splitlines() if "|" in line]
    return {(row[0], row[1]): row[2:] for row in rows}


def test_a_run_beside_published_numbers(make_run: Callable[..., Path], make_table: Table):
    ours = make_run("ours", A=make_table(), E=make_table(wrong=15), new=make_table())
    found = cells(show("thesis", ours, "--markdown", "--folder", ROOT / "baselines"))
    assert found["A", "Dice"][0] == "0.7311"
    dice = per_sample(make_table(), "dice").mean()
    assert found["A", "Dice"][1].startswith(f"{dice:.4f} (")
    value, low, high = map(float, re.findall(r"[0-9.]+", found["E", "accuracy"][1]))
    assert low < value < high
    assert value == round(1 - 15 / make_table().n, 4)
    assert found["new", "Dice"][0] == "–"  # the thesis has no such case
    assert found["B", "accuracy"] == ["0.9052", "–"]


def test_without_spread_a_metric_of_all_slices_has_no_interval_and_says_so(
    make_run: Callable[..., Path], make_table: Table
):
    result = show(make_run("ours", A=make_table()), "--metric", "macro_f1", "--markdown")
    found = cells(result)
    assert "A, macro F1: no interval: all draws of patients have the same value" in result.stdout
    assert found["A", "macro F1"] == ["1.0000"]
    assert ("A", "Dice") not in found


@pytest.fixture
def with_failure(make_run: Callable[..., Path], make_table: Table) -> Path:
    """A run in which A succeeded and B ran out of time."""
    run = make_run("ours", A=make_table(), B=make_table())
    folder = RunStore(run)
    record = CaseRecord.load(folder.record_path(Cell("B", 42)))
    lost = {"outcome": "timeout", "error": "too slow", "samples": None, "summary": None}
    folder.save_record(record.model_copy(update=lost))
    return run


def test_metrics_of_all_slices_have_intervals_of_values_and_of_differences(
    make_run: Callable[..., Path], make_table: Table
):
    run = make_run("ours", A=make_table(wrong=9), E=make_table(wrong=15))
    result = show(run, "--metric", "auroc", "--metric", "macro_f1", "--pairs", "--markdown")
    found = cells(result)
    for metric in ("AUROC", "macro F1"):
        value, low, high = map(float, re.findall(r"[0-9.]+", found["A", metric][0]))
        assert low < value < high
        difference, low, high = map(float, re.findall(r"[-+]?[0-9.]+", " ".join(found["E − A", metric][:2])))
        assert low < difference < high
        assert difference < 0
    assert "no p values" in result.stdout


def test_a_case_that_failed_is_shown_as_that(with_failure: Path):
    assert cells(show(with_failure, "--markdown"))["B", "Dice"] == ["timeout"]


def test_the_values_as_a_picture(with_failure: Path, tmp_path: Path):
    pictures = [tmp_path / "new" / name for name in ("one.svg", "two.svg")]
    for picture in pictures:
        assert show(with_failure, "thesis", "--figure", picture, "--folder", ROOT / "baselines").exit_code == 0
    one, two = (picture.read_bytes() for picture in pictures)
    assert one == two
    texts = [node.text.strip() for node in ElementTree.fromstring(one).iter(SVG + "text") if node.text]
    assert texts.count("timeout") == 2  # in the panel of Dice and in that of accuracy
    assert set("ABCDEFG") < set(texts)
    assert {"Dice", "accuracy", "thesis"} < set(texts)


SHARES = ("dice", "iou", "sensitivity", "precision", "miss_rate", "accuracy", "balanced_accuracy", "macro_f1", "ece")


@pytest.mark.parametrize("metric", SHARES)
def test_a_share_is_drawn_from_0_to_1(make_run: Callable[..., Path], make_table: Table, tmp_path: Path, metric: str):
    run, picture = make_run("ours", A=make_table(wrong=3), B=make_table(worse=0.1)), tmp_path / "x.svg"
    assert show(run, "--metric", metric, "--figure", picture).exit_code == 0
    assert {"0.0", "1.0"} <= words(picture)


def test_what_is_no_share_has_an_axis_of_its_own(make_run: Callable[..., Path], make_table: Table, tmp_path: Path):
    run, picture = make_run("ours", A=make_table(wrong=3)), tmp_path / "x.svg"
    assert show(run, "--metric", "brier", "--figure", picture).exit_code == 0
    assert "1.0" not in words(picture)


def words(picture: Path) -> set[str]:
    return {node.text.strip() for node in ElementTree.parse(picture).iter(SVG + "text") if node.text}


def test_sources_have_the_titles_they_are_given(make_run: Callable[..., Path], make_table: Table, tmp_path: Path):
    one, two = make_run("one", A=make_table(), B=make_table(wrong=9)), make_run("two", A=make_table())
    picture = tmp_path / "x.svg"
    result = show(one, two, "--name", "_first", "--name", "second | b", "--markdown", "--pairs", "--figure", picture)
    assert result.exit_code == 0, result.output
    assert re.search(r"^\| case +\| metric +\| \\_first +\| second \\\| b +\|$", result.stdout, re.MULTILINE)
    assert "\n_first: 60 test samples" in result.stdout
    assert "\n_first\n" in result.stdout  # above its pairs
    assert {"_first", "second | b"} <= words(picture)
    assert str(tmp_path) not in result.stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--name", "a"], "--name: expected 2, one for each source, got 1"),
        (["--name", "a", "--name", "a"], "--name: expected different names, found 'a' twice"),
    ],
)
def test_wrong_options_are_told_before_anything_is_read(args: list[str], told: str):
    result = show("nowhere", "nowhere else", *args)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "nowhere" not in result.stderr


def test_a_metric_that_no_source_has(make_run: Callable[..., Path], make_table: Table):
    """Sources may define scores, so they are read first."""
    result = show(make_run("one", A=make_table()), "--metric", "dise")
    assert result.exit_code == 2
    assert "--metric: unknown metric 'dise'" in result.stderr
    assert "did you mean 'dice'" in result.stderr


def test_how_the_numbers_were_made_is_told(make_run: Callable[..., Path], make_table: Table, conditions: Conditions):
    one = make_run("one", A=make_table())
    two = make_run("two", conditions.model_copy(update={"image_size": 64}), A=make_table())
    told = show(one, two).stdout
    assert f"{conditions.image_size} px" in told
    assert "64 px" in told


def test_pairs_are_tested(make_run: Callable[..., Path], make_table: Table):
    run = make_run("ours", A=make_table(), D=make_table(wrong=40))
    told = show(run, "--pairs").stdout
    assert "D − A" in told
    assert "D is worse than A" in told
    assert "single training run" in told


@pytest.mark.parametrize(
    ("args", "message"),
    [(["nowhere"], "unknown run or baseline 'nowhere'"), (["ours", "--metric", "dise"], "did you mean 'dice'")],
)
def test_errors_are_told(args: list[str], message: str, make_run: Callable[..., Path], make_table: Table):
    make_run("ours", A=make_table())
    result = show(*args)
    assert result.exit_code == 2
    assert message in result.stderr
