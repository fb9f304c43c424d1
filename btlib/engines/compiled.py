"""The folded model compiled by inductor, its weights frozen in."""

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.compiling import compiled, compiler_errors
from btlib.adapters.torch import TorchPredictor
from btlib.engines.eager import folded
from btlib.engines.engine import Subject
from btlib.errors import ModelError
from btlib.types import Predictions

_WHERE = "engine compile"


class CompiledPredictor(TorchPredictor):
    """A compiled model as a predictor: what it predicts was computed by compiled code, or it raises.

    The first batch is compiled as it is, a batch of another size once more for any size, and a single sample by itself:
    on CUDA as one graph, for it takes longer to launch its kernels than to run them.

    Args:
        subject: The model.
    """

    def __init__(self, subject: Subject) -> None:
        model = folded(subject)
        on_cpu = subject.device.type == "cpu"
        many = compiled(lambda images: model(images), options={"freezing": True} if on_cpu else None)
        one = many if on_cpu else compiled(lambda images: model(images), dynamic=False, mode="reduce-overhead")
        super().__init__(
            lambda images: (one if len(images) == 1 else many)(images),
            subject.device,
            subject.precision,
            subject.outputs,
        )

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Predictions for float32 [n, channels, h, w].

        Raises:
            ModelError: It cannot be compiled for images of this shape.
        """
        try:
            return super().predict(images)
        except compiler_errors() as error:
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
        predictor.predict(np.zeros((2, subject.channels, subject.image_size, subject.image_size), np.float32))
    except ModelError:
        raise
    except Exception as error:  # a compiler may fail in any way
        raise ModelError(f"cannot be compiled: {type(error).__name__}: {error}", where=_WHERE) from error
    return predictor
