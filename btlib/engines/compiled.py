"""Engine that compiles the folded model with TorchInductor. On the CPU the weights are constants of the program."""

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
    """Predictor that runs a compiled model. It never falls back to uncompiled code, but raises an error instead.

    The first batch is compiled for its size. The first batch of another size is compiled again, for any size. On CUDA a
    single sample is compiled separately, as one graph, because launching its kernels takes longer than running them.

    Args:
        subject: Model to run.
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
        """Return predictions for float32 images [n, channels, h, w].

        Raises:
            ModelError: The model cannot be compiled for images of this shape.
        """
        try:
            return super().predict(images)
        except compiler_errors() as error:
            raise ModelError(
                f"the model cannot be compiled for {list(images.shape)}: {type(error).__name__}: {error}", where=_WHERE
            ) from error


def build(subject: Subject) -> CompiledPredictor:
    """Compile the model and predict one batch as a test.

    Raises:
        ModelError: The model cannot be compiled here, for example because there is no compiler.
    """
    predictor = CompiledPredictor(subject)
    try:
        predictor.predict(np.zeros((2, subject.channels, subject.image_size, subject.image_size), np.float32))
    except ModelError:
        raise
    except Exception as error:  # a compiler may fail in any way
        raise ModelError(f"the model cannot be compiled: {type(error).__name__}: {error}", where=_WHERE) from error
    return predictor
