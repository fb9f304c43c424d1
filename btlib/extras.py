"""Optional dependencies: one that is missing is told by the name of the extra that brings it."""

from collections.abc import Iterator
from contextlib import contextmanager

from btlib.errors import MissingExtraError

EXTRAS = {
    "torch": "torch",
    "torchvision": "torch",
    "pytorch_lightning": "torch",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "onnxscript": "onnx",
    "jax": "jax",
    "flax": "jax",
    "optax": "jax",
    "keras": "keras",
    "segmentation_models_pytorch": "smp",
}
"""Package → the extra of btlib that brings it."""


@contextmanager
def named(where: object = None) -> Iterator[None]:
    """Around an import: a package of an extra that is not installed raises MissingExtraError.

    Args:
        where: Named in the message, such as the file that wants the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise MissingExtraError(
            f"{package} is not installed", where=where, mend=f"pip install 'btlib[{EXTRAS[package]}]'"
        ) from error
