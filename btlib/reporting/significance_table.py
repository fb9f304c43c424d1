"""Table of pair tests: one row per pair and metric."""

from collections.abc import Sequence

from tabulate import tabulate

from btlib.decimals import decimals
from btlib.reporting.names import Naming, naming
from btlib.reporting.numbers import interval, number, p_value
from btlib.reporting.significance import MARGIN, PairTest, reading


def significance_table(tests: Sequence[PairTest], style: str = "simple") -> str:
    """Return difference, interval, p values and conclusion of each test, in a format of `tabulate`."""
    name = naming(style)
    return tabulate([_row(test, name) for test in tests], "keys", style, disable_numparse=True)


def _row(test: PairTest, name: Naming) -> dict[str, str]:
    digits = decimals(test.margin)
    return {
        "pair": f"{name(test.first)} − {name(test.second)}",
        "metric": test.metric,
        "difference": f"{test.difference:+.{digits}f}",
        "95 % interval": interval(test.low, test.high, digits),
        "p": p_value(test.p, test.p_is_bound),
        "Holm p": p_value(test.p_holm, test.p_holm_is_bound),
        "McNemar p": p_value(test.p_mcnemar),
        "effect": number(test.effect, ".2f"),
        f"within ±{MARGIN:g}": "yes" if test.equivalent else "no",
        "conclusion": reading(test, name),
    }
