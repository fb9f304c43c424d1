"""The section of a comparison that shows new cases beside those of the baseline."""

from collections.abc import Sequence

from tabulate import tabulate

from btlib.gate.ranking import Ranking
from btlib.reporting.names import Naming, naming
from btlib.reporting.numbers import interval, number, p_value
from btlib.reporting.pairing import pairing

NOTE = (
    "Holm p is corrected over all rows of a case. Speed and memory of a reference are those of the baseline's machine: "
    "see its environment before comparing."
)
"""What a reader of the table must know."""


def ranking_section(rankings: Sequence[Ranking]) -> list[str]:
    """Lines of Markdown; none where every case is known."""
    if not rankings:
        return []
    notes = " ".join(filter(None, [pairing(one.method for one in rankings), NOTE]))
    return ["", "## New cases beside those of the baseline", "", notes, "", ranking_table(rankings, "github")]


def ranking_table(rankings: Sequence[Ranking], style: str = "simple") -> str:
    """A row for each new case, reference and metric, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(one, name) for one in rankings], "keys", style, disable_numparse=True)


def rank_of(one: Ranking) -> str:
    """Such as "2 of 8"."""
    return "–" if one.rank is None else f"{one.rank} of {one.of}"


def _row(one: Ranking, name: Naming) -> dict[str, str]:
    return {
        "case": name(one.case),
        "against": name(one.reference),
        "metric": one.metric,
        "case's": number(one.value, ".4f"),
        "reference's": number(one.reference_value, ".4f"),
        "difference": number(one.difference, "+.4f"),
        "95 % interval": interval(one.low, one.high),
        "method": one.method or "–",
        "Holm p": p_value(one.p_holm),
        "verdict": one.status,
        "rank": rank_of(one),
        "reference's img/s": number(one.images_per_second, ".1f"),
        "reference's MiB": number(one.peak_memory_mib, ".0f"),
    }
