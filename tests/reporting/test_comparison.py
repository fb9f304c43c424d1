"""The comparison of a run: every case in it, in three formats that say the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from btlib.baselines.schema import SCHEMA, Baseline, BaselineCase, BaselineRun, Conditions, Figure
from btlib.errors import BaselineError
from btlib.evaluation import summarise
from btlib.reporting import Comparison, compare, table, write_comparison
from btlib.runs import CaseRecord, ModelInfo, RunInfo, Speed
from btlib.slice_table import SliceTable

CONDITIONS = Conditions(
    origin="phantom",
    dataset_fingerprint="d1",
    split_name="slice-seed42",
    split_fingerprint="s1",
    n_test=60,
    test_class_counts=[20, 20, 20],
    image_size=32,
    scaling="thesis",
    threshold=0.65,
    epsilon=1e-6,
)
INFO = RunInfo(tier="smoke", command="pytest x", baseline="b.json", origin="phantom", data="60 slices", started="now")
MODEL = ModelInfo(source="loaded", fingerprint=None, seconds=0.0, details={}, notes=["from scratch"])


def record(case: str, slices: SliceTable | None, error: str | None = None) -> CaseRecord:
    return CaseRecord(
        case=case,
        title=f"case {case}",
        tier="smoke",
        seed=1,
        metrics=["dice", "accuracy"],
        outcome="error" if error else "done",
        error=error,
        conditions=CONDITIONS,
        slices=slices,
        summary=summarise(slices) if slices else None,
        seconds=1.5,
        model=None if error else MODEL,
        environment={},
        created="now",
    )


@pytest.fixture
def comparison(make_table: Callable[..., SliceTable]) -> Comparison:
    """A case that passes, one that regressed, one that crashed, and one that the baseline does not know."""
    good = make_table()
    figures = [
        Figure(metric=m, value=round(float(v.mean()), 6), aggregation="slice-mean", margin=0.02, source="test")
        for m, v in (("dice", good.dice()), ("accuracy", good.correct()))
    ]
    case = BaselineCase(title="t", figures=figures, runs=[BaselineRun(seed=1, fingerprint=None, slices=good)])
    baseline = Baseline(
        schema=SCHEMA,
        name="b",
        kind="measured",
        title="t",
        source="s",
        created="2026",
        reason="r",
        conditions=CONDITIONS,
        cases=dict.fromkeys(("good", "bad", "crash"), case),
    )
    records = [
        record("good", good),
        record("bad", make_table(wrong=20)),
        record("crash", None, "out of luck"),
        record("new", good),
    ]
    speeds = {"good": Speed(case="good", images_per_second={"inference, batch 16": 123.4}, rounds={})}
    return compare(INFO, records, speeds, baseline)


def test_every_case_has_a_row_with_its_worst_verdict(comparison: Comparison):
    assert {row.case: row.status for row in comparison.rows} == {
        "good": "pass",
        "bad": "regressed",
        "crash": "error",
        "new": "missing-baseline",
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
    accuracy = comparison.rows[1].values["accuracy"]
    assert accuracy == pytest.approx(2 / 3)
    assert frame.loc["bad", "accuracy"] == pytest.approx(accuracy)
    assert frame.loc["bad", "accuracy_difference"] == pytest.approx(-1 / 3)
    assert by_case["bad"]["verdicts"][1]["status"] == "regressed"
    assert "0.6667" in text
    assert "123.4" in text
    assert frame.loc["good", "inference, batch 16 [img/s]"] == 123.4


def test_phantom_numbers_say_so(comparison: Comparison, tmp_path: Path):
    assert "**PHANTOM DATA" in write_comparison(comparison, tmp_path).read_text()
    assert json.loads((tmp_path / "comparison.json").read_text())["run"]["origin"] == "phantom"


def test_reasons_and_notes_are_told(comparison: Comparison, tmp_path: Path):
    text = write_comparison(comparison, tmp_path).read_text()
    assert "**crash, dice** (error): out of luck" in text
    assert "**new, dice** (missing-baseline)" in text
    assert "**good**: from scratch" in text


def test_the_terminal_shows_every_case(comparison: Comparison):
    text = table(comparison)
    assert "inference\nbatch 16" not in text  # headers are broken over lines, not printed with a backslash
    assert [line.split()[0] for line in text.splitlines() if " case " in line] == ["good", "bad", "crash", "new"]
    assert max(map(len, text.splitlines())) <= 160


def test_an_unreadable_baseline_is_a_verdict(make_table: Callable[..., SliceTable]):
    found = compare(INFO, [record("good", make_table())], {}, BaselineError("no such file", where="b.json"))
    assert found.rows[0].status == "missing-baseline"
    assert "b.json: no such file" in found.rows[0].verdicts[0].reason
