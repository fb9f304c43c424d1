"""Table of the differences within subgroups, worst first, and lines on those that are warned of."""

from collections.abc import Sequence

from tabulate import tabulate

from btlib.gate import Verdict
from btlib.gate.verdict import SubgroupDifference
from btlib.reporting.names import Naming, in_markdown, naming, visible
from btlib.reporting.numbers import interval, number, p_value
from btlib.reporting.verdicts import title_of

NOTE = (
    "The same comparison within each class, third by true area and structure, worst first. p: one-sided p of no loss. "
    "warned: the loss is larger than the margin, and beyond chance among all subgroups of the metric. misses: share of "
    "structures with a Dice below 0.1."
)
"""Explanation of the table."""


def subgroup_rows(verdicts: Sequence[Verdict]) -> list[tuple[Verdict, SubgroupDifference]]:
    """Return the subgroups of all verdicts: case by case, the warned ones first, then by p."""
    places = {case: k for k, case in enumerate(dict.fromkeys(v.case for v in verdicts))}
    rows = [(v, one) for v in verdicts for one in v.subgroups]
    return sorted(rows, key=lambda row: (places[row[0].case], not row[1].warned, _worst_first(row[1])))


def worst_subgroup(verdicts: Sequence[Verdict]) -> tuple[Verdict, SubgroupDifference] | None:
    """Return the subgroup of a case with the smallest p; None if no subgroup could be compared."""
    known = [row for row in subgroup_rows(verdicts) if row[1].p is not None]
    return min(known, key=lambda row: _worst_first(row[1]), default=None)


def warning_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line of plain text for each subgroup that is warned of."""
    return [
        f"{visible(v.case)}, {v.metric}: loss in a subgroup: {visible(one.describe(v.decimals))}"
        for v, one in subgroup_rows(verdicts)
        if one.warned
    ]


def subgroup_table(verdicts: Sequence[Verdict], style: str = "simple") -> str:
    """Return a table with a row per case, metric and subgroup, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(*row, name) for row in subgroup_rows(verdicts)], "keys", style, disable_numparse=True)


def subgroup_section(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the section as lines of Markdown; empty if nothing was compared within subgroups."""
    if not subgroup_rows(verdicts):
        return []
    worst = []
    for case in dict.fromkeys(v.case for v in verdicts):
        found = worst_subgroup([v for v in verdicts if v.case == case])
        if found is not None:
            worst.append(f"- **{in_markdown(case)}**: worst subgroup: {in_markdown(_line(*found))}")
    return ["", "## Subgroups", "", NOTE, "", *worst, "", subgroup_table(verdicts, "github")]


def _line(verdict: Verdict, one: SubgroupDifference) -> str:
    return f"{title_of(verdict.metric)}, {one.describe(verdict.decimals)}" + ("; warned" if one.warned else "")


def _worst_first(one: SubgroupDifference) -> float:
    return 2.0 if one.p is None else one.p


def _row(verdict: Verdict, one: SubgroupDifference, name: Naming) -> dict[str, str]:
    digits = verdict.decimals
    return {
        "case": name(verdict.case),
        "metric": name(one.metric),
        "subgroup": name(one.name),
        "samples": str(one.n),
        "measured": number(one.value, f".{digits}f"),
        "baseline": number(one.baseline, f".{digits}f"),
        "difference": number(one.difference, f"+.{digits}f"),
        "95 % interval": interval(one.low, one.high, digits),
        "p": p_value(one.p),
        "verdict": "warned" if one.warned else "cannot tell" if one.p is None else "–",
        "note": name(one.note.removeprefix("cannot tell: ")) if one.note else "–",
    }
