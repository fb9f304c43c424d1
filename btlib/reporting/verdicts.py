"""The gate's words as a table: one row a case and metric."""

from collections.abc import Sequence

from tabulate import tabulate

from btlib.baselines import Verdict
from btlib.reporting.numbers import interval, number


def verdict_table(verdicts: Sequence[Verdict], style: str = "simple") -> str:
    """Case, metric, verdict and the numbers behind it, in a format of `tabulate`."""
    return tabulate([_row(v) for v in verdicts], "keys", style, disable_numparse=True)


def _row(v: Verdict) -> dict[str, str]:
    return {
        "case": v.case,
        "metric": v.metric,
        "verdict": v.status,
        "measured": number(v.measured, ".4f"),
        "baseline": number(v.baseline, ".4f"),
        "margin": number(v.margin, "g"),
        "difference": number(v.difference, "+.4f"),
        "95 % interval": interval(v.low, v.high),
        "method": v.method or "–",
        "seeds": f"{len(v.seeds) or 1} / {len(v.baseline_seeds) or 1}" if v.seeds or v.baseline_seeds else "–",
    }
