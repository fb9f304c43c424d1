"""One run of the suite: execute cases, keep a record of each, read the records again."""

from btlib.runs.explained import Explained
from btlib.runs.folder import RunFolder
from btlib.runs.maps import Maps
from btlib.runs.record import CaseRecord, ModelInfo, RunInfo
from btlib.runs.speed import Speed, Timing

__all__ = ["CaseRecord", "Explained", "Maps", "ModelInfo", "RunFolder", "RunInfo", "Speed", "Timing"]
