"""Baselines: the numbers a case is held against, and the gate that holds it to them."""

from btlib.baselines.figure import Figure
from btlib.baselines.gate import judge, judge_new
from btlib.baselines.schema import Baseline
from btlib.baselines.verdict import HOLDS, Verdict

__all__ = ["HOLDS", "Baseline", "Figure", "Verdict", "judge", "judge_new"]
