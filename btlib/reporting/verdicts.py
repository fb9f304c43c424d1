"""Verdicts of the gate as a table, one row per case and metric, and as single lines."""

from collections.abc import Sequence

from tabulate import tabulate

from btlib.evaluation.catalogue import METRICS
from btlib.gate import Verdict
from btlib.reporting.names import Naming, naming, visible
from btlib.reporting.numbers import interval, number, p_value

GATE_NOTE = (
    "p: one-sided p of no loss. finds: smallest true loss that is regressed with 80 %. passes: probability that an "
    "unchanged case passes."
)
"""Explanation of the columns of the gate's table."""


def verdict_table(verdicts: Sequence[Verdict], style: str = "simple") -> str:
    """Return a table of case, metric, verdict and its numbers, in a format of `tabulate`."""
    name = naming(style)
    new = any(v.reference is not None for v in verdicts)
    return tabulate([_row(v, name, new) for v in verdicts], "keys", style, disable_numparse=True)


def verdict_line(v: Verdict) -> str:
    """Return a line with metric, measured value, compared value, difference, interval and margin, if known."""
    against = "baseline" if v.reference is None else f"reference {visible(v.reference)}"
    parts = [title_of(v.metric) + (": no value" if v.measured is None else f" {v.measured:.{v.decimals}f}")]
    parts += [] if v.baseline is None else [f"{against} {v.baseline:.{v.decimals}f}"]
    if v.difference is not None:
        method = f" ({v.method})" if v.method else ""
        bounds = f"{100 * v.confidence:.3g} % interval {interval(v.low, v.high, v.decimals)}"
        parts += [f"difference {v.difference:+.{v.decimals}f}, {bounds}{method}"]
    parts += [] if v.margin is None else [f"margin {v.margin:g}"]
    parts += [] if v.power is None else [v.power.describe()]
    parts += [v.power.advice] if v.power is not None and v.status == "inconclusive" else []
    return "; ".join(parts)


def title_of(metric: str) -> str:
    """Return the title of a metric; that of a score is its name."""
    return METRICS[metric].title if metric in METRICS else metric


def _row(v: Verdict, name: Naming, new: bool) -> dict[str, str]:
    return {
        "case": name(v.case),
        "metric": name(v.metric),
        "verdict": v.status,
        **({"compared with": "–" if v.reference is None else name(v.reference)} if new else {}),
        "measured": number(v.measured, f".{v.decimals}f"),
        "baseline": number(v.baseline, f".{v.decimals}f"),
        "margin": number(v.margin, "g"),
        "difference": number(v.difference, f"+.{v.decimals}f"),
        "interval": interval(v.low, v.high, v.decimals),
        "p": p_value(v.p),
        "finds": "–" if v.power is None else f"{v.power.detectable:.{v.decimals - 1}f}",
        "passes": "–" if v.power is None else f"{100 * v.power.p_pass:.0f} %",
        "method": v.method or "–",
        "seeds": f"{len(v.seeds) or 1} / {len(v.baseline_seeds) or 1}" if v.seeds or v.baseline_seeds else "–",
    }
