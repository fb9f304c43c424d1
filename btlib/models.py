"""Public module of the thesis's networks, which are defined in `btlib.thesis.models`."""

from btlib.thesis import models as _models

__all__ = [*_models.__all__]


def __getattr__(name: str) -> object:
    return getattr(_models, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
