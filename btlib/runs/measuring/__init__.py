"""Measures of a case in addition to its quality. They are taken while its predictor is loaded."""

from btlib.runs.measuring.live import Live
from btlib.runs.measuring.measures import EXPLANATION, INFERENCE, MEASURES, PLANTED, TRAINING_STEP

__all__ = ["EXPLANATION", "INFERENCE", "MEASURES", "PLANTED", "TRAINING_STEP", "Live"]
