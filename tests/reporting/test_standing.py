"""A case that the baseline does not know, beside those that it knows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from btlib import Baseline, stats
from btlib.baselines import judge_new
from btlib.baselines.pace import Pace
from btlib.reporting import compare, write_comparison
from btlib.reporting.pairing import pairing
from btlib.reporting.standing import standings
from btlib.results import CaseResult
from btlib.runs import CaseRecord, RunInfo
from btlib.runs.results import as_results
from btlib.slice_table import SliceTable

Table = Callable[..., SliceTable]

ALONE = [f"P{i}" for i in range(60)]
"""Every slice of another patient."""


@pytest.fixture
def baseline(make_table: Table, baseline_of: Callable[..., Baseline]) -> Baseline:
    """Three references: "good" knows all, "bad" misclassifies 20 of 60 slices, "seg" has no classes."""
    good, bad = baseline_of(make_table(), "good"), baseline_of(make_table(wrong=20, worse=0.2, seed=1), "bad")
    seg = good.cases["good"].model_copy(update={"figures": good.cases["good"].figures[:1]})
    return good.model_copy(update={"cases": good.cases | bad.cases | {"seg": seg}})


@pytest.fixture
def new(record: Callable[..., CaseRecord]) -> Callable[[SliceTable], CaseResult]:
    return lambda table: as_results([record("new", table)])[0]


def test_it_stands_beside_every_reference(make_table: Table, new: Callable, baseline: Baseline):
    found = {(s.reference, s.metric): s for s in standings(new(make_table(wrong=6, seed=2, patients=ALONE)), baseline)}
    assert set(found) == {(r, m) for r in ("good", "bad") for m in ("dice", "accuracy")} | {("seg", "dice")}
    assert found["bad", "accuracy"].status == "improved"
    assert found["good", "accuracy"].status == "regressed"
    assert (found["good", "accuracy"].rank, found["good", "accuracy"].of) == (2, 3)
    assert found["good", "accuracy"].difference == pytest.approx(-0.1)


def test_p_is_corrected_over_all_rows_of_the_case(make_table: Table, new: Callable, baseline: Baseline):
    result = new(make_table(wrong=6, seed=2, patients=ALONE))
    found = standings(result, baseline)
    raw = []
    for s in found:
        theirs = baseline.cases[s.reference].runs[0].slices
        values = theirs.dice() if s.metric == "dice" else theirs.correct() * 1.0
        raw.append(stats.paired(result.values(s.metric), values, ALONE).p)
    assert [s.p_holm for s in found] == pytest.approx(multipletests(raw, method="holm")[1])


def test_named_references_must_all_be_held_and_unnamed_ones_need_not(
    make_table: Table, new: Callable, baseline: Baseline
):
    result = new(make_table(wrong=6, seed=2, patients=ALONE))

    def status(*against: str) -> str:
        found = judge_new(result, baseline, against or None)
        return {v.metric: v for v in found}["accuracy"].status

    assert status() == "improved"
    assert status("bad") == "improved"
    assert status("good") == "regressed"
    assert status("good", "bad") == "regressed"
    assert status("seg") == "missing-baseline"


def test_a_model_that_knows_nothing_falls_short_of_all(make_table: Table, new: Callable, baseline: Baseline):
    lost = new(make_table(wrong=60, worse=0.6, seed=3))
    assert {v.metric: v.status for v in judge_new(lost, baseline)} == {"dice": "regressed", "accuracy": "regressed"}
    assert all(s.rank == s.of for s in standings(lost, baseline))


def test_other_slices_cannot_be_compared(make_table: Table, new: Callable, baseline: Baseline):
    from dataclasses import replace

    result = new(make_table())
    other = replace(result, conditions=result.conditions.model_copy(update={"image_size": 64}))
    assert {v.status for v in judge_new(other, baseline)} == {"not-comparable"}
    for standing in standings(other, baseline):
        assert (standing.status, standing.difference, standing.p_holm) == ("not-comparable", None, None)


def test_it_appears_in_every_report(
    make_table: Table, record: Callable[..., CaseRecord], baseline: Baseline, info: RunInfo, tmp_path: Path
):
    cases = {
        name: case.model_copy(
            update={"speed": {"inference, batch 16": Pace(images_per_second=321.0)}, "peak_memory_mib": 654.0}
        )
        for name, case in baseline.cases.items()
    }
    with_costs = baseline.model_copy(update={"cases": cases})
    comparison = compare(info, [record("new", make_table(wrong=6, seed=2, patients=ALONE))], {}, with_costs)
    text = write_comparison(comparison, tmp_path).read_text()
    assert text.count("| new    |") >= 5
    assert [row.case for row in comparison.references] == ["good", "bad", "seg"]
    for name in ("good", "bad", "seg"):
        assert f"| {name} t" in text  # its own row in the table of cases
    frame = pd.read_csv(tmp_path / "comparison.csv").set_index("case")
    assert frame.loc["bad", "status"] == "reference"
    assert frame.loc["bad", "accuracy"] == pytest.approx(40 / 60)
    assert "321.0" in text
    assert "654" in text
    assert np.isclose(comparison.rows[0].values["accuracy"], 0.9)


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ([], ""),
        ([None], ""),
        (
            ["paired by patient", None, "paired by slice"],
            "Paired: both sides of each difference were measured on the same",
        ),
        (["unpaired, by patient"], "Unpaired: the other side is a published mean"),
        (["paired by patient", "unpaired, by slice"], "Paired only where the method says so"),
    ],
)
def test_pairing_is_what_the_methods_say(methods: list[str | None], told: str):
    assert pairing(methods).startswith(told)
    assert bool(pairing(methods)) == bool(told)
    assert ("same slices" in pairing(methods)) == told.startswith("Paired:")
