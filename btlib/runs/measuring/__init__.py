"""What is measured of a case while its predictor is there, beside its quality."""

from btlib.runs.measuring.live import Live
from btlib.runs.measuring.measures import EXPLANATION, INFERENCE, MEASURES, PLANTED, TRAINING_STEP

__all__ = ["EXPLANATION", "INFERENCE", "MEASURES", "PLANTED", "TRAINING_STEP", "Live"]
