"""Scoring of a predictor: a table with the numbers of each sample, and aggregates of the table."""

from btlib.evaluation.aggregate import batch_mean, patient_mean, summarise
from btlib.evaluation.predictor import Predictor
from btlib.evaluation.saved import SavedPredictions
from btlib.evaluation.score import Evaluation, evaluate
from btlib.evaluation.thresholds import best_threshold, curve_of

__all__ = [
    "Evaluation",
    "Predictor",
    "SavedPredictions",
    "batch_mean",
    "best_threshold",
    "curve_of",
    "evaluate",
    "patient_mean",
    "summarise",
]
