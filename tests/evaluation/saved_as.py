"""Saved predictions without a file: of that very class, for one derived from it is given no ids."""

from typing import Any

from btlib.evaluation.saved import SavedPredictions


def saved_as(spy: Any) -> SavedPredictions:
    """Is asked as saved predictions are; the spy answers in their place."""
    made = SavedPredictions.__new__(SavedPredictions)
    made.look_up, made.require = spy.look_up, spy.require  # type: ignore[method-assign]
    made.require_known = lambda ids: None  # type: ignore[method-assign]
    return made
