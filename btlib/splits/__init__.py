"""Splits of the samples into training, validation and test sets. Every result states the name of its split.

`slice-seed42` is the thesis's split by slice: for 611 of its 612 test slices, the training set contains slices of the
same patient. `patient-5fold-1` … `-5` and `cvind-1` … `-5` are patient-disjoint. `random-5fold-1` … `-5` are for
samples that are independent of each other. `official` is the split that the data state.
"""

from btlib.splits.at_random import random_folds
from btlib.splits.by_cvind import cvind_folds
from btlib.splits.by_patient import FOLDS, cohort_folds, patient_folds
from btlib.splits.by_slice import slice_seed42
from btlib.splits.default import DefaultSplit, default_split
from btlib.splits.families import folds_of, pooled_name
from btlib.splits.folds import assign_folds
from btlib.splits.make import SPLITS, make_split, require_split
from btlib.splits.split import Split

__all__ = [
    "FOLDS",
    "SPLITS",
    "DefaultSplit",
    "Split",
    "assign_folds",
    "cohort_folds",
    "cvind_folds",
    "default_split",
    "folds_of",
    "make_split",
    "patient_folds",
    "pooled_name",
    "random_folds",
    "require_split",
    "slice_seed42",
]
