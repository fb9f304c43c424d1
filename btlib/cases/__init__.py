"""Benchmark cases: their definition, how they are loaded, and how their trained models are stored."""

from btlib.cases.case import CASES, Case, Prepared, Source, Work, case
from btlib.cases.fitting import FittedModel, fit_or_load
from btlib.cases.load import load_case, load_cases, project_cases

__all__ = [
    "CASES",
    "Case",
    "FittedModel",
    "Prepared",
    "Source",
    "Work",
    "case",
    "fit_or_load",
    "load_case",
    "load_cases",
    "project_cases",
]
