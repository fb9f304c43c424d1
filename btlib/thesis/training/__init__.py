"""Training the variants with Lightning. Everything that decides what weights come out lies here and in `models`.

Lightning takes seconds to import: it is brought in by `fit`, not by a plan.
"""

from typing import TYPE_CHECKING, Any

from btlib.thesis.training.plan import Plan

if TYPE_CHECKING:
    from btlib.thesis.training.fitting import Fitted, fit

__all__ = ["Fitted", "Plan", "fit"]


def __getattr__(name: str) -> Any:
    if name in ("Fitted", "fit"):
        from btlib.thesis.training import fitting

        return getattr(fitting, name)
    raise AttributeError(f"module 'btlib.thesis.training' has no attribute {name!r}")
