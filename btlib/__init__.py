"""btlib: a benchmark harness with test-suite semantics for brain-tumour segmentation and classification.

The public names are imported on first use. `import btlib` is therefore fast and needs no deep-learning framework.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from btlib import metrics, models, splits, stats
    from btlib.api import resume, run
    from btlib.data import load_dataset, read_slice
    from btlib.evaluation import evaluate
    from btlib.gate import Baseline, judge

__version__ = "0.1.0"
__all__ = [
    "Baseline",
    "evaluate",
    "judge",
    "load_dataset",
    "metrics",
    "models",
    "read_slice",
    "resume",
    "run",
    "splits",
    "stats",
]

_HOMES = {
    "Baseline": "btlib.gate",
    "evaluate": "btlib.evaluation",
    "judge": "btlib.gate",
    "load_dataset": "btlib.data",
    "read_slice": "btlib.data",
    "resume": "btlib.api",
    "run": "btlib.api",
}
_ROOMS = {"metrics", "models", "splits", "stats"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"btlib.{name}")
    raise AttributeError(f"module 'btlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
