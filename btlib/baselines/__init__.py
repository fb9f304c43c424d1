"""Baselines: the numbers a case is held against, and the gate that holds it to them."""

from btlib.baselines.gate import Measured, Verdict, judge
from btlib.baselines.schema import Baseline, Conditions, Figure

__all__ = ["Baseline", "Conditions", "Figure", "Measured", "Verdict", "judge"]
