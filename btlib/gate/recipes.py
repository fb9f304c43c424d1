"""Differences between two training recipes. They are part of a verdict's reason, and do not change its status."""

from collections.abc import Mapping
from dataclasses import replace

from btlib.gate.verdict import Verdict

Value = str | int | float | bool | None
StoredRecipe = Mapping[str, Value]
"""Training recipe as in records and baselines: field → value."""


def differences(ours: StoredRecipe, theirs: StoredRecipe) -> dict[str, tuple[Value, Value]]:
    """Return the fields with different values. A missing field equals None and False: older versions did not have it.

    >>> differences({"epochs": 4, "compiled": False}, {"epochs": 8})
    {'epochs': (4, 8)}
    """
    pairs = {name: (ours.get(name), theirs.get(name)) for name in sorted(ours.keys() | theirs.keys())}
    return {name: (a, b) for name, (a, b) in pairs.items() if a != b and not (_is_off(a) and _is_off(b))}


def other_recipe(measured: StoredRecipe | None, baseline: StoredRecipe | None) -> str:
    """Return a message if two models were trained by different recipes; "" if a side has none, as published numbers.

    >>> other_recipe({"epochs": 4, "drifting_batch_norm": True}, {"epochs": 4})
    'recipe: drifting_batch_norm: measured True, baseline None'
    """
    if not measured or not baseline:
        return ""
    found = differences(measured, baseline).items()
    return f"recipe: {'; '.join(f'{name}: measured {a!r}, baseline {b!r}' for name, (a, b) in found)}" if found else ""


def with_other_recipe(verdict: Verdict, measured: StoredRecipe | None, baseline: StoredRecipe | None) -> Verdict:
    """Return the verdict with the differences between both recipes in its reason.

    Args:
        verdict: Verdict on a case. It is unchanged if the case failed, or was compared with a case of another name.
        measured: Recipe of the measured case (`RunInfo.recipe_of`); None or empty if it is unknown or was not trained.
        baseline: Recipe of the same case in the baseline (`Baseline.provenance_of`).
    """
    if verdict.baseline is None or verdict.reference is not None:
        return verdict
    text = other_recipe(measured, baseline)
    return replace(verdict, reason="\n".join(filter(None, [verdict.reason, text]))) if text else verdict


def _is_off(value: Value) -> bool:
    return value is None or value is False
