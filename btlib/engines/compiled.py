"""The folded model compiled by inductor, its weights frozen in."""

from typing import Any

import torch

from btlib.adapters.torch import TorchPredictor
from btlib.engines.eager import folded
from btlib.engines.engine import Subject
from btlib.errors import ModelError


def build(subject: Subject) -> TorchPredictor:
    """Compiled on its first batch; each other batch size is compiled once more, then any.

    Raises:
        ModelError: It cannot be compiled here, for want of a compiler for instance.
    """
    model = folded(subject)
    run: Any = torch.compile(model, options={"freezing": True} if subject.device.type == "cpu" else None)
    predictor = TorchPredictor(run, subject.device, subject.precision, subject.outputs)
    try:
        predictor.predict(torch.zeros(2, subject.image_size, subject.image_size).numpy())
    except Exception as error:  # a compiler may fail in any way
        raise ModelError(f"cannot be compiled: {type(error).__name__}: {error}", where="engine compile") from error
    return predictor
