"""A case that the baseline does not know, beside those that it knows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from btlib import Baseline, stats
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.gate import judge_new
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.gate_options import GateOptions
from btlib.gate.ranking import Ranking, _rank, rankings
from btlib.reporting import write_comparison
from btlib.reporting.pairing import pairing
from btlib.reporting.ranking_table import NOTE, ranking_section, ranking_table
from btlib.results import CaseResult, SeedRun
from btlib.runs import CaseRecord, RunInfo
from btlib.runs.results import as_results
from btlib.runs.throughput import Throughput
from btlib.sample_table import SampleTable

from ..spreads import known_spread
from .cells import rows
from .judged import judged
from .tables import in_order, with_boundary

Table = Callable[..., SampleTable]

ALONE = [f"P{i}" for i in range(60)]
"""Every sample of another patient."""


@pytest.fixture
def baseline(make_table: Table, baseline_of: Callable[..., Baseline]) -> Baseline:
    """Three references: "good" knows all, "bad" misclassifies 20 of 60 samples, "seg" has no classes."""
    good, bad = baseline_of(make_table(), "good"), baseline_of(make_table(wrong=20, worse=0.2, seed=1), "bad")
    seg = good.cases["good"].model_copy(update={"figures": good.cases["good"].figures[:1]})
    return good.model_copy(update={"cases": good.cases | bad.cases | {"seg": seg}})


@pytest.fixture
def new(record: Callable[..., CaseRecord]) -> Callable[[SampleTable], CaseResult]:
    return lambda table: as_results([record("new", table)])[0]


def test_it_stands_beside_every_reference(make_table: Table, new: Callable, baseline: Baseline):
    found = {(s.reference, s.metric): s for s in rankings(new(make_table(wrong=6, seed=2, patients=ALONE)), baseline)}
    assert set(found) == {(r, m) for r in ("good", "bad") for m in ("dice", "accuracy")} | {("seg", "dice")}
    assert found["bad", "accuracy"].status == "improved"
    assert found["good", "accuracy"].status == "regressed"
    assert (found["good", "accuracy"].rank, found["good", "accuracy"].of) == (2, 3)
    assert found["good", "accuracy"].difference == pytest.approx(-0.1)


def test_p_is_corrected_over_all_rows_of_the_case(make_table: Table, new: Callable, baseline: Baseline):
    result = new(make_table(wrong=6, seed=2, patients=ALONE))
    found = rankings(result, baseline)
    raw = []
    for s in found:
        theirs = baseline.cases[s.reference].runs[0].samples
        values = per_sample(theirs, "dice") if s.metric == "dice" else theirs.correct() * 1.0
        raw.append(stats.paired(result.values(s.metric), values, ALONE).p)
    expected = multipletests(raw, method="holm")[1]  # of other flips
    assert [s.p_holm for s in found] == pytest.approx(expected, abs=0.03)


def test_named_references_must_all_be_held_and_without_names_the_best_one(
    make_table: Table, new: Callable, baseline: Baseline
):
    result = new(make_table(wrong=6, seed=2, patients=ALONE))

    def status(*against: str) -> str:
        found = judge_new(result, baseline, against or None)
        return {v.metric: v for v in found}["accuracy"].status

    assert status() == "regressed", "compared with the best reference"
    assert status("bad") == "improved"
    assert status("good") == "regressed"
    assert status("good", "bad") == "regressed"
    assert status("seg") == "missing-baseline"


def test_a_model_that_knows_nothing_falls_short_of_all(make_table: Table, new: Callable, baseline: Baseline):
    lost = new(make_table(wrong=60, worse=0.6, seed=3))
    assert {v.metric: v.status for v in judge_new(lost, baseline)} == {"dice": "regressed", "accuracy": "regressed"}
    assert all(s.rank == s.of for s in rankings(lost, baseline))


def test_other_slices_cannot_be_compared(make_table: Table, new: Callable, baseline: Baseline):
    result = new(make_table())
    other = replace(result, conditions=result.conditions.model_copy(update={"image_size": 64}))
    assert {v.status for v in judge_new(other, baseline)} == {"not-comparable"}
    for ranking in rankings(other, baseline):
        assert (ranking.status, ranking.difference, ranking.p_holm) == ("not-comparable", None, None)


def test_it_appears_in_every_report(
    make_table: Table, record: Callable[..., CaseRecord], baseline: Baseline, info: RunInfo, tmp_path: Path
):
    cases = {
        name: case.model_copy(
            update={"speed": {"inference, batch 16": Throughput(images_per_second=321.0)}, "peak_memory_mib": 654.0}
        )
        for name, case in baseline.cases.items()
    }
    with_costs = baseline.model_copy(update={"cases": cases})
    comparison = judged(info, [record("new", make_table(wrong=6, seed=2, patients=ALONE))], {}, with_costs)
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
            ["paired by patient", None, "paired by sample"],
            "Paired: both sides of each difference were measured on the same",
        ),
        (["unpaired, by patient"], "Unpaired: the baseline value is a published mean"),
        (["paired by patient", "unpaired, by sample"], "Some differences are paired"),
    ],
)
def test_pairing_is_what_the_methods_say(methods: list[str | None], told: str):
    assert pairing(methods).startswith(told)
    assert bool(pairing(methods)) == bool(told)
    assert ("same samples" in pairing(methods)) == told.startswith("Paired:")


def shuffled(table: SampleTable) -> SampleTable:
    """The same samples in another order."""
    return in_order(table, np.random.default_rng(5).permutation(table.n).tolist())


def test_slices_are_paired_by_number_whatever_their_order(make_table: Table, new: Callable, baseline: Baseline):
    """Differences, their intervals and p do not change with the order of a reference's rows, nor of the case's."""
    table = make_table(wrong=6, seed=2, patients=ALONE)
    cases = {
        name: case.model_copy(
            update={"runs": [run.model_copy(update={"samples": shuffled(run.samples)}) for run in case.runs]}
        )
        for name, case in baseline.cases.items()
    }
    wanted = rankings(new(table), baseline)
    for s, other in zip(wanted, rankings(new(table), baseline.model_copy(update={"cases": cases})), strict=True):
        assert other == s
    for s, other in zip(wanted, rankings(new(shuffled(table)), baseline), strict=True):
        assert (other.reference, other.metric, other.status) == (s.reference, s.metric, s.status)
        assert (other.p_holm, other.low, other.high) == pytest.approx((s.p_holm, s.low, s.high), abs=0.02)


def hd95_table(make_table: Table, value: float) -> SampleTable:
    spread = [value + i % 3 / 10 for i in range(60)]
    return with_boundary(make_table(patients=ALONE), spread)


def test_the_rank_follows_the_direction_of_the_metric(make_table: Table, record: Callable, baseline: Baseline):
    """A lower HD95 is better; what is exactly as good shares the better place."""
    cases = {}
    for name, value in (("far", 9.0), ("near", 2.0), ("same", 4.0)):
        slices = hd95_table(make_table, value)
        mean = round(float(slices.measure("hd95").mean()), 6)
        figure = ReferenceValue(
            metric="hd95", value=mean, aggregation="slice-mean", unit="px", margin=0.5, source="test"
        )
        runs = [SeedRun(seed=1, fingerprint=None, samples=slices)]
        cases[name] = BaselineCase(title="t", figures=[figure], runs=runs, spread=known_spread(0.01, "hd95"))
    one = record("new", hd95_table(make_table, 4.0)).model_copy(update={"metrics": {"hd95": 1}})
    (result,) = as_results([one])
    found = {s.reference: s for s in rankings(result, baseline.model_copy(update={"cases": cases}))}
    assert {name: (s.rank, s.of) for name, s in found.items()} == dict.fromkeys(("far", "near", "same"), (2, 4))
    assert {name: s.difference for name, s in found.items()} == pytest.approx({"far": -5, "near": 2, "same": 0})
    assert {name: s.status for name, s in found.items()} == {"far": "improved", "near": "regressed", "same": "pass"}
    assert {name: s.p_holm for name, s in found.items()}["same"] == 1
    assert (found["far"].value, found["far"].reference_value, found["far"].margin) == pytest.approx((4.1, 9.1, 0.5))


def test_a_published_reference_has_no_p(make_table: Table, new: Callable, baseline: Baseline):
    published = {
        name: case.model_copy(update={"runs": []} if name == "bad" else {}) for name, case in baseline.cases.items()
    }
    mixed = baseline.model_copy(update={"kind": "published", "cases": published})
    found = {(s.reference, s.metric): s for s in rankings(new(make_table(wrong=6, patients=ALONE)), mixed)}
    assert {key for key, s in found.items() if s.p_holm is None} == {("bad", "dice"), ("bad", "accuracy")}
    assert found["bad", "accuracy"].difference is not None
    assert (found["bad", "accuracy"].rank, found["bad", "accuracy"].of) == (2, 3)


def test_costs_are_the_references_at_batch_16(make_table: Table, new: Callable, baseline: Baseline):
    throughput = {f"inference, batch {n}": Throughput(images_per_second=10.0 * n) for n in (1, 16)}
    cases = {
        "good": baseline.cases["good"].model_copy(update={"speed": throughput, "peak_memory_mib": 7.0}),
        "bad": baseline.cases["bad"].model_copy(update={"speed": {"training": throughput["inference, batch 1"]}}),
    }
    found = rankings(new(make_table(patients=ALONE)), baseline.model_copy(update={"cases": cases}))
    assert {(s.reference, s.images_per_second, s.peak_memory_mib) for s in found} == {
        ("good", 160.0, 7.0),
        ("bad", None, None),
    }


def test_only_named_references_are_stood_beside_and_strictness_counts(
    make_table: Table, new: Callable, baseline: Baseline
):
    result = new(make_table(patients=ALONE))
    assert {s.reference for s in rankings(result, baseline, ["bad"])} == {"bad"}
    rendered = baseline.conditions.model_copy(update={"input_fingerprint": "other"})
    other = baseline.model_copy(update={"conditions": rendered})
    assert "not-comparable" not in {s.status for s in rankings(result, other)}
    assert {s.status for s in rankings(result, other, options=GateOptions(strict=True))} == {"not-comparable"}


STANDING = Ranking(
    case="n|w",
    reference="old",
    metric="dice",
    status="regressed",
    value=0.5,
    reference_value=0.75,
    margin=0.02,
    difference=-0.25,
    low=-0.375,
    high=-0.125,
    method="paired by patient",
    p_holm=0.0312,
    rank=2,
    of=7,
    images_per_second=321.04,
    peak_memory_mib=654.4,
)


def test_every_number_of_a_ranking_has_its_column():
    (row,) = rows(ranking_table([STANDING], "github").replace(r"\|", "/"))
    assert row == {
        "case": "n/w",
        "compared with": "old",
        "metric": "dice",
        "case value": "0.5000",
        "reference value": "0.7500",
        "difference": "-0.2500",
        "95 % interval": "-0.3750 … -0.1250",
        "method": "paired by patient",
        "Holm p": "0.031",
        "verdict": "regressed",
        "rank": "2 of 7",
        "reference img/s": "321.0",
        "reference MiB": "654",
    }
    unknown = dict.fromkeys(("difference", "low", "high", "method", "p_holm", "rank", "images_per_second"))
    (row,) = rows(ranking_table([replace(STANDING, case="n", **unknown)], "github"))
    assert [name for name, cell in row.items() if cell == "–"] == [
        *("difference", "95 % interval", "method", "Holm p", "rank", "reference img/s"),
    ]
    assert "n|w" in ranking_table([STANDING])


def test_the_section_says_how_it_was_paired():
    assert ranking_section([]) == []
    lines = ranking_section([STANDING, replace(STANDING, method="unpaired, by patient")])
    assert lines[:3] == ["", "## New cases compared with the baseline's cases", ""]
    assert lines[3].startswith("Some differences are paired")
    assert lines[3].endswith(NOTE)


@pytest.mark.parametrize(
    ("metric", "measured", "others", "rank"),
    [
        *(("dice", 0.8, [0.9, 0.7], 2), ("dice", 0.8, [0.8], 1), ("dice", 0.8, [], 1)),
        *(("hd95", 3.0, [5.0, 2.0], 2), ("hd95", 3.0, [5.0, 4.0], 1), ("hd95", 3.0, [0.5, 2.0], 3)),
        ("hd95", 3.0, [3.0], 1),
    ],
)
def test_the_rank_is_by_what_is_better(metric: str, measured: float, others: list[float], rank: int):
    verdict: Any = SimpleNamespace(metric=metric, measured=measured, difference=0.0)
    assert _rank(verdict, others, METRICS[metric].sign) == rank
