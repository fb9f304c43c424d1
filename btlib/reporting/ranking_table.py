"""Section of a comparison that compares new cases with the cases of the baseline."""

from collections.abc import Sequence

from tabulate import tabulate

from btlib.decimals import decimals
from btlib.gate.ranking import Ranking
from btlib.reporting.names import Naming, naming
from btlib.reporting.numbers import interval, number, p_value
from btlib.reporting.pairing import pairing

NOTE = (
    'Holm p is corrected over all rows of a case; "≤" marks the least p that its random flips can give. Speed and '
    "memory of a reference were measured on the baseline's machine: check its environment before you compare them."
)
"""Note below the heading of the table."""


def ranking_section(rankings: Sequence[Ranking]) -> list[str]:
    """Return the section as lines of Markdown; empty if the baseline has every case."""
    if not rankings:
        return []
    notes = " ".join(filter(None, [pairing(one.method for one in rankings), NOTE]))
    return ["", "## New cases compared with the baseline's cases", "", notes, "", ranking_table(rankings, "github")]


def ranking_table(rankings: Sequence[Ranking], style: str = "simple") -> str:
    """Return a table with a row per new case, reference and metric, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(one, name) for one in rankings], "keys", style, disable_numparse=True)


def rank_of(one: Ranking) -> str:
    """Return the rank as text, such as "2 of 8"; "–" without a rank."""
    return "–" if one.rank is None else f"{one.rank} of {one.of}"


def _row(one: Ranking, name: Naming) -> dict[str, str]:
    digits = decimals(one.margin, (one.value, one.reference_value))
    return {
        "case": name(one.case),
        "compared with": name(one.reference),
        "metric": one.metric,
        "case value": number(one.value, f".{digits}f"),
        "reference value": number(one.reference_value, f".{digits}f"),
        "difference": number(one.difference, f"+.{digits}f"),
        "95 % interval": interval(one.low, one.high, digits),
        "method": one.method or "–",
        "Holm p": p_value(one.p_holm, one.p_holm_is_bound),
        "verdict": one.status,
        "rank": rank_of(one),
        "reference img/s": number(one.images_per_second, ".1f"),
        "reference MiB": number(one.peak_memory_mib, ".0f"),
    }
