"""The gate's verdicts as a table and as lines: every number in its own place."""

from dataclasses import replace

from btlib.gate import Verdict
from btlib.gate.verdict import Power
from btlib.reporting.verdicts import verdict_line, verdict_table

from .cells import rows

KNOWN = Verdict(
    case="A|b",
    metric="macro_f1",
    status="regressed",
    reason="too low",
    measured=0.61,
    baseline=0.75,
    margin=0.02,
    difference=-0.14,
    low=-0.3,
    high=-0.05,
    p=0.0004,
    power=Power(detectable=0.0617, p_pass=0.7564, trainings=3, groups=90, n_trainings=1, n_groups=60),
    method="paired by patient",
    seeds=(0.6, 0.62),
    baseline_seeds=(0.7, 0.75, 0.8),
)
NEW = replace(KNOWN, reference="Z", seeds=(), baseline_seeds=())
UNKNOWN = Verdict(case="C", metric="hd95", status="error", reason="crashed")


def test_every_number_stands_in_its_column():
    (row,) = rows(verdict_table([replace(KNOWN, case="A")], "github"))
    assert row == {
        "case": "A",
        "metric": "macro_f1",
        "verdict": "regressed",
        "measured": "0.6100",
        "baseline": "0.7500",
        "margin": "0.02",
        "difference": "-0.1400",
        "interval": "-0.3000 … -0.0500",
        "p": "0.0004",
        "finds": "0.062",
        "passes": "76 %",
        "method": "paired by patient",
        "seeds": "2 / 3",
    }


def test_the_reference_has_a_column_where_some_case_has_one():
    first, second = rows(verdict_table([UNKNOWN, replace(NEW, case="A")], "github"))
    assert (first["compared with"], second["compared with"]) == ("–", "Z")
    assert {name: cell for name, cell in first.items() if cell != "–"} == {
        "case": "C",
        "metric": "hd95",
        "verdict": "error",
    }
    assert "compared with" not in rows(verdict_table([UNKNOWN], "github"))[0]


def test_a_side_without_seeds_is_one_training():
    seeds = [
        rows(verdict_table([replace(UNKNOWN, seeds=ours, baseline_seeds=theirs)], "github"))[0]["seeds"]
        for ours, theirs in (((0.1, 0.2), ()), ((), (0.1, 0.2, 0.3)), ((), ()))
    ]
    assert seeds == ["2 / 1", "1 / 3", "–"]


def test_names_are_escaped_by_format():
    assert r"A\|b" in verdict_table([KNOWN], "github")
    assert "A|b" in verdict_table([KNOWN])


def test_a_line_has_what_is_known():
    assert verdict_line(KNOWN) == (
        "macro F1 0.6100; baseline 0.7500; difference -0.1400, 95 % interval -0.3000 … -0.0500 (paired by patient); "
        "margin 0.02; finds a loss of 0.0617 with 80 %; an unchanged case passes with 76 %"
    )
    unclear = verdict_line(replace(KNOWN, status="inconclusive", confidence=0.99))
    assert "99 % interval" in unclear
    assert unclear.endswith(
        "76 %; with 3 seeds on each side or with 90 patients instead of 60, an unchanged case would pass with 80 %"
    )
    assert verdict_line(NEW).startswith("macro F1 0.6100; reference Z 0.7500; difference")
    assert verdict_line(replace(KNOWN, method=None, power=None)).endswith("-0.0500; margin 0.02")
    assert verdict_line(UNKNOWN) == "HD95: no value"
    uncompared = replace(UNKNOWN, measured=7.0, baseline=6.0, margin=0.5)
    assert verdict_line(uncompared) == "HD95 7.0000; baseline 6.0000; margin 0.5"
