"""Registry of the measures. Other packages add measures by an entry point in the group `btlib.measures`."""

from collections.abc import Callable, Mapping
from typing import Final

from btlib.registry import Registry
from btlib.runs.measuring.explanation import explain
from btlib.runs.measuring.live import Live
from btlib.runs.measuring.planted import planted
from btlib.runs.measuring.speed import inference, training_step

INFERENCE: Final = "inference"
TRAINING_STEP: Final = "training step"
EXPLANATION: Final = "explanation"
PLANTED: Final = "planted faults"

MEASURES: Registry[Callable[[Live], Mapping[str, object]]] = Registry("measure", "btlib.measures")
"""Name → function that measures a `Live` and returns the changed fields of its record. Its errors go to the record."""

MEASURES.add(INFERENCE, inference)
MEASURES.add(TRAINING_STEP, training_step)
MEASURES.add(EXPLANATION, explain)
MEASURES.add(PLANTED, planted)
