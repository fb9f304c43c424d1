"""Table of the power of the gate."""

import math
from collections.abc import Sequence

from tabulate import tabulate

from btlib.decimals import decimals
from btlib.gate.power import ExpectedPower
from btlib.reporting.names import Naming, naming

NOTE = (
    "finds: smallest true loss that is `regressed` with 80 %. passes: probability that an unchanged case passes. seeds "
    "and patients: number of either, the other unchanged, with which an unchanged case passes with 80 %; – if no "
    "number is enough."
)
"""Explanation of the columns."""


def power_table(rows: Sequence[ExpectedPower], style: str = "simple") -> str:
    """Return a table with a row per case and metric, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(row, name) for row in rows], "keys", style, disable_numparse=True)


def _row(row: ExpectedPower, name: Naming) -> dict[str, str]:
    power = row.power
    if power is None:
        return {"case": name(row.case), "metric": row.metric, "margin": f"{row.margin:g}", "finds": row.note}
    digits = decimals(row.margin or None)
    freedom = "assumed" if row.assumed else "known" if math.isinf(row.freedom) else f"{row.freedom:.0f}"
    return {
        "case": name(row.case),
        "metric": row.metric,
        "margin": f"{row.margin:g}",
        "sd of trainings": f"{row.sd:.{digits}f}",
        "degrees of freedom": freedom,
        "finds": f"{power.detectable:.{digits - 1}f}",
        "passes": f"{100 * power.p_pass:.0f} %",
        "seeds": "–" if power.trainings is None else str(power.trainings),
        "patients": "–" if power.groups is None else str(power.groups),
    }
