"""Training of the variants with Lightning. All code that determines the trained weights is here and in `models`.

Lightning takes seconds to import, so only `fit` imports it, not a plan.
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
