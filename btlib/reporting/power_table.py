"""Table of the power of the gate."""

import math
from collections.abc import Sequence

from tabulate import tabulate

from btlib.decimals import decimals
from btlib.gate.power import ExpectedPower
from btlib.reporting.names import Naming, naming


def note(rows: Sequence[ExpectedPower]) -> str:
    """Return an explanation of the columns."""
    return (
        "finds: smallest true loss that is `regressed` with 80 %. passes: probability that an unchanged case passes. "
        f"seeds and {_units(rows)}: number of either, the other unchanged, with which an unchanged case passes with "
        "80 %; – if no number is enough."
    )


def power_table(rows: Sequence[ExpectedPower], style: str = "simple") -> str:
    """Return a table with a row per case and metric, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(row, name, _units(rows)) for row in rows], "keys", style, disable_numparse=True)


def _units(rows: Sequence[ExpectedPower]) -> str:
    """Return what is counted: "patients", "speakers" …, or "groups" if the rows differ."""
    units = {row.power.unit for row in rows if row.power is not None}
    return f"{units.pop()}s" if len(units) == 1 else "groups"


def _row(row: ExpectedPower, name: Naming, units: str) -> dict[str, str]:
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
        units: "–" if power.groups is None else str(power.groups),
    }
