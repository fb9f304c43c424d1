"""The comparison of a run: every case in it, in three formats that say the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from btlib import Baseline
from btlib.errors import BaselineError
from btlib.reporting import Comparison, compare, table, write_comparison
from btlib.runs import CaseRecord, RunInfo, Speed, Timing
from btlib.slice_table import SliceTable

Table = Callable[..., SliceTable]
Make = Callable[..., CaseRecord]


@pytest.fixture
def comparison(make_table: Table, info: RunInfo, record: Make, baseline_of: Callable[..., Baseline]) -> Comparison:
    """A case that passes, one that regressed, one that crashed, one new to the baseline, one left out."""
    good = make_table()
    records = [
        record("good", good),
        record("bad", make_table(wrong=20)),
        record("crash", None, "out of luck"),
        record("new", good),
    ]
    timing = Timing(images=16, seconds=[0.1, 0.1], thesis_seconds=[1.0, 1.0])
    speeds = {"good": Speed(case="good", figures={"inference, batch 16": timing})}
    wanted = info.model_copy(update={"cases": ["good", "bad", "crash", "new", "lost"]})
    return compare(wanted, records, speeds, baseline_of(good, "good", "bad", "crash"))


def test_every_case_has_a_row_with_its_worst_verdict(comparison: Comparison):
    assert {row.case: row.status for row in comparison.rows} == {
        "good": "pass",
        "bad": "regressed",
        "crash": "error",
        "new": "pass",
    }


def test_the_three_formats_say_the_same(comparison: Comparison, tmp_path: Path):
    path = write_comparison(comparison, tmp_path)
    text = path.read_text()
    frame = pd.read_csv(tmp_path / "comparison.csv").set_index("case")
    value = json.loads((tmp_path / "comparison.json").read_text())
    by_case = {row["case"]: row for row in value["cases"]}
    for row in comparison.rows:
        assert frame.loc[row.case, "status"] == row.status == by_case[row.case]["status"]
        assert f"| {row.case} case {row.case} " in text
    accuracy = {row.case: row for row in comparison.rows}["bad"].values["accuracy"]
    assert accuracy == pytest.approx(2 / 3)
    assert frame.loc["bad", "accuracy"] == pytest.approx(accuracy)
    assert frame.loc["bad", "accuracy_difference"] == pytest.approx(-1 / 3)
    assert by_case["bad"]["verdicts"][1]["status"] == "regressed"
    assert "0.6667" in text
    assert "160.0 (10.0×)" in text
    assert frame.loc["good", "inference, batch 16 [img/s]"] == pytest.approx(160)
    assert frame.loc["good", "inference, batch 16 [x thesis]"] == pytest.approx(10)
    assert by_case["good"]["speeds"]["inference, batch 16"]["ratio"] == pytest.approx(10)


def test_phantom_numbers_say_so(comparison: Comparison, tmp_path: Path):
    assert "**PHANTOM DATA" in write_comparison(comparison, tmp_path).read_text()
    assert json.loads((tmp_path / "comparison.json").read_text())["run"]["origin"] == "phantom"


def test_reasons_and_notes_are_told(comparison: Comparison, tmp_path: Path):
    text = write_comparison(comparison, tmp_path).read_text()
    assert "**crash dice (error), crash accuracy (error)**: out of luck" in text
    assert "**good**: from scratch" in text


def test_the_terminal_shows_every_case(comparison: Comparison):
    text = table(comparison)
    assert "inference\nbatch 16" not in text  # headers are broken over lines, not printed with a backslash
    assert [line.split()[0] for line in text.splitlines() if " case " in line] == ["bad", "crash", "good", "new"]
    assert max(map(len, text.splitlines())) <= 160


def test_an_unreadable_baseline_is_a_verdict(make_table: Table, info: RunInfo, record: Make):
    found = compare(info, [record("good", make_table())], {}, BaselineError("no such file", where="b.json"))
    assert found.rows[0].status == "missing-baseline"
    assert "b.json: no such file" in found.rows[0].verdicts[0].reason


def test_what_was_left_out_is_told(comparison: Comparison, tmp_path: Path):
    assert comparison.missing == ("lost",)
    assert "**lost**: was to be measured and has no record" in write_comparison(comparison, tmp_path).read_text()


def test_seeds_of_a_case_are_one_row(make_table: Table, info: RunInfo, record: Make, baseline_of: Callable):
    tables = [make_table(wrong=wrong) for wrong in (0, 6)]
    records = [record("good", one, seed=seed) for seed, one in enumerate(tables)]
    (row,) = compare(info, records, {}, baseline_of(make_table(), "good")).rows
    assert (row.seeds, row.seconds, row.source) == ((0, 1), 3.0, "loaded")
    assert row.values["accuracy"] == pytest.approx(0.95)
    assert row.values["macro_f1"] == pytest.approx(sum(_macro_f1(one) for one in tables) / 2)


def _macro_f1(table: SliceTable) -> float:
    from sklearn.metrics import f1_score

    return f1_score(table.label, table.predicted(), average="macro")


def test_seeds_on_different_slices_are_an_error(make_table: Table, info: RunInfo, record: Make, baseline_of: Callable):
    records = [record("good", make_table()), record("good", make_table(30), seed=2)]
    (row,) = compare(info, records, {}, baseline_of(make_table(), "good")).rows
    assert row.status == "error"
    assert "seeds 1 and 2 were measured on different slices" in row.verdicts[0].reason
