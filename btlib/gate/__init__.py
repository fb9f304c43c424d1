"""Baselines: the numbers that a case is compared with, and the gate that compares them."""

from btlib.gate.baseline_case import ReferenceValue
from btlib.gate.newcomers import judge_new
from btlib.gate.rule import judge
from btlib.gate.schema import Baseline
from btlib.gate.verdict import HOLDS, Verdict

__all__ = ["HOLDS", "Baseline", "ReferenceValue", "Verdict", "judge", "judge_new"]
