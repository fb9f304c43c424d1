"""Which slices train, which validate and which test. A split's name is part of every number's identity.

`slice-seed42` is the thesis's, slice by slice, so slices of one patient stand on both sides; `patient-5fold-1` …
`-5` and `cvind-1` … `-5` keep patients apart; `block-seed42` keeps neighbouring slices apart, where ids are unknown.
"""

from btlib.splits.by_block import block_seed42
from btlib.splits.by_patient import FOLDS, cvind_folds, patient_folds
from btlib.splits.by_slice import slice_seed42
from btlib.splits.make import SPLIT_NAMES, make_split
from btlib.splits.split import Split

__all__ = [
    "FOLDS",
    "SPLIT_NAMES",
    "Split",
    "block_seed42",
    "cvind_folds",
    "make_split",
    "patient_folds",
    "slice_seed42",
]
