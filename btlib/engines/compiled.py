"""The folded model compiled by inductor, its weights frozen in."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

from btlib.adapters.torch import TorchPredictor
from btlib.engines.eager import folded
from btlib.engines.engine import Subject
from btlib.errors import ModelError
from btlib.types import Predictions

_WHERE = "engine compile"
_numbers = itertools.count()


class CompiledPredictor(TorchPredictor):
    """A compiled model as a predictor: what it predicts was computed by compiled code, or it raises.

    The first batch is compiled as it is, a batch of another size once more for any size, and a single slice by itself:
    on CUDA as one graph, for it takes longer to launch its kernels than to run them.

    Args:
        subject: The model.
    """

    def __init__(self, subject: Subject) -> None:
        model = folded(subject)
        on_cpu = subject.device.type == "cpu"
        many = torch.compile(_own(model), fullgraph=True, options={"freezing": True} if on_cpu else None)
        one = many if on_cpu else torch.compile(_own(model), fullgraph=True, dynamic=False, mode="reduce-overhead")
        super().__init__(
            lambda images: (one if len(images) == 1 else many)(images),
            subject.device,
            subject.precision,
            subject.outputs,
        )

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predictions for float32 [n, h, w].

        Raises:
            ModelError: It cannot be compiled for images of this shape.
        """
        try:
            with warnings.catch_warnings():
                # torch 2.11 warns of what fp32 is asked for: that it does not round to TF32
                warnings.filterwarnings("ignore", "TensorFloat32 tensor cores", UserWarning)
                return super().predict(images)
        except (TorchDynamoException, FailOnRecompileLimitHit) as error:
            raise ModelError(
                f"cannot be compiled for {list(images.shape)}: {type(error).__name__}: {error}", where=_WHERE
            ) from error


def build(subject: Subject) -> CompiledPredictor:
    """The compiled model, which has predicted a batch.

    Raises:
        ModelError: It cannot be compiled here, for want of a compiler for instance.
    """
    predictor = CompiledPredictor(subject)
    try:
        predictor.predict(np.zeros((2, subject.image_size, subject.image_size), np.float32))
    except ModelError:
        raise
    except Exception as error:  # a compiler may fail in any way
        raise ModelError(f"cannot be compiled: {type(error).__name__}: {error}", where=_WHERE) from error
    return predictor


def _own(model: nn.Module) -> Callable[[torch.Tensor], Any]:
    """A call of the model, with code of its own.

    PyTorch counts how often a piece of code is compiled, and runs it uncompiled from the eighth time on. The code of
    `forward` is one for all models of a class, and its compiled versions would live as long as the class.
    """

    def run(images: torch.Tensor) -> Any:
        return model(images)

    run.__code__ = run.__code__.replace(co_name=f"run_{next(_numbers)}")
    return run
