"""Runs: the plan, its cells, their execution, and their records."""

from btlib.runs.cell import Cell
from btlib.runs.record import CaseRecord, ModelInfo, RunInfo
from btlib.runs.speed import Speed, Timing
from btlib.runs.store import RunStore

__all__ = ["CaseRecord", "Cell", "ModelInfo", "RunInfo", "RunStore", "Speed", "Timing"]
