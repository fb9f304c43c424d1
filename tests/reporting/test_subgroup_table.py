"""Differences within subgroups as a table and as lines: worst first, and nothing that could not be told is dropped."""

from btlib.gate import Verdict
from btlib.gate.verdict import SubgroupDifference
from btlib.reporting.subgroup_table import subgroup_section, subgroup_table, warning_lines, worst_subgroup

from .cells import rows

LOST = SubgroupDifference("small third", "dice@size:small", 9, 0.1, 0.8, -0.7, -0.8, -0.6, 1e-9, warned=True)
FINE = SubgroupDifference("class a", "dice@class:a", 5, 0.8, 0.8, 0.0, -0.1, 0.1, 0.5)
NOTHING = SubgroupDifference("class c", "dice@class:c", 0, note="cannot tell: no sample belongs to it")
VERDICTS = [
    Verdict("B", "accuracy", "pass", subgroups=(FINE,)),
    Verdict("A", "accuracy", "pass", subgroups=(FINE, NOTHING)),
    Verdict("A", "dice", "pass", subgroups=(LOST,)),
]


def test_the_worst_of_a_case_comes_first():
    found = rows(subgroup_table(VERDICTS[1:], "github"))
    assert [row["verdict"] for row in found] == ["warned", "–", "cannot tell"]
    assert found[0] == {
        "case": "A",
        "metric": "dice&#64;size:small",
        "subgroup": "small third",
        "samples": "9",
        "measured": "0.1000",
        "baseline": "0.8000",
        "difference": "-0.7000",
        "95 % interval": "-0.8000 … -0.6000",
        "p": "< 0.0001",
        "verdict": "warned",
        "note": "–",
    }
    assert found[2]["note"] == "no sample belongs to it"
    assert worst_subgroup(VERDICTS[1:]) == (VERDICTS[2], LOST)
    assert worst_subgroup([Verdict("A", "dice", "pass", subgroups=(NOTHING,))]) is None


def test_lines_name_the_warned_ones_only():
    (line,) = warning_lines(VERDICTS)
    assert line.startswith("A, dice: loss in a subgroup: small third (n = 9): 0.1000, baseline 0.8000")


def test_the_section_names_the_worst_of_each_case():
    text = "\n".join(subgroup_section(VERDICTS))
    assert "## Subgroups" in text
    assert "- **A**: worst subgroup: Dice, small third" in text
    assert "- **B**: worst subgroup: accuracy, class a" in text
    assert subgroup_section([Verdict("A", "dice", "pass")]) == []
