"""The section of a comparison that shows new cases beside those of the baseline."""

from collections.abc import Sequence

from tabulate import tabulate

from btlib.reporting.numbers import interval, number, p_value
from btlib.reporting.standing import Standing


def standing_section(standings: Sequence[Standing]) -> list[str]:
    """Lines of Markdown; none where every case is known."""
    if not standings:
        return []
    return [
        "",
        "## New cases beside those of the baseline",
        "",
        "On the same slices; Holm p is corrected over all rows of a case. Speed and memory of a reference are those of "
        "the baseline's machine: see its environment before comparing.",
        "",
        standing_table(standings, "github"),
    ]


def standing_table(standings: Sequence[Standing], style: str = "simple") -> str:
    """A row for each new case, reference and metric, in a format of `tabulate`."""
    return tabulate([_row(one) for one in standings], "keys", style, disable_numparse=True)


def _row(one: Standing) -> dict[str, str]:
    return {
        "case": one.case,
        "against": one.reference,
        "metric": one.metric,
        "case's": number(one.value, ".4f"),
        "reference's": number(one.reference_value, ".4f"),
        "difference": number(one.difference, "+.4f"),
        "95 % interval": interval(one.low, one.high),
        "Holm p": p_value(one.p_holm),
        "verdict": one.status,
        "rank": "–" if one.rank is None else f"{one.rank} of {one.of}",
        "reference's img/s": number(one.images_per_second, ".1f"),
        "reference's MiB": number(one.peak_memory_mib, ".0f"),
    }
