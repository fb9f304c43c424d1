"""Training the variants with Lightning. Everything that decides what weights come out lies here and in `models`."""

from btlib.training.fit import Fitted, fit
from btlib.training.plan import Plan

__all__ = ["Fitted", "Plan", "fit"]
