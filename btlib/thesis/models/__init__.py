"""The thesis's seven variants in PyTorch. The table `VARIANTS` needs no torch; building a model does."""

from typing import TYPE_CHECKING, Any

from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task
from btlib.errors import MissingExtraError
from btlib.thesis.models.variants import VARIANTS, Variant

if TYPE_CHECKING:
    from btlib.thesis.models.network import ModelOutput, TumourModel
    from btlib.thesis.models.thesis_names import load_thesis_state_dict, to_thesis_state_dict

__all__ = [
    "VARIANTS",
    "ModelOutput",
    "TumourModel",
    "Variant",
    "create",
    "load_thesis_state_dict",
    "to_thesis_state_dict",
]


def create(
    variant: str,
    weights: str | None = None,
    *,
    backbone: str = "resnet50",
    drifting_batch_norm: bool = False,
    task: Task = FIGSHARE,
) -> "TumourModel":
    """Build a variant for training: float32 [n, channels, h, w] → `ModelOutput`.

    Args:
        variant: "A" … "G".
        weights: "coco", "imagenet", or None or "none" for random initialisation from torch's global generator.
        backbone: "resnet50" (the thesis), "resnet101" or "tiny".
        drifting_batch_norm: For C: leave the frozen encoder's batch norm in train mode, as in the thesis.
        task: Task with the classes, structures and channels.

    Raises:
        UnknownNameError: No such variant, weights or backbone; the message suggests the nearest name.
        ModelError: The weights are not available, or the task lacks the classes or structures of the variant.
        MissingExtraError: torch is not installed.
    """
    row = VARIANTS[variant]
    network = _torch_room("network")
    model: TumourModel = network.TumourModel(row, backbone, drifting_batch_norm=drifting_batch_norm, task=task)
    _torch_room("pretrained").load_pretrained(model, weights)
    return model


def _torch_room(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"btlib.thesis.models.{name}")
    except ModuleNotFoundError as error:
        if error.name in ("torch", "torchvision"):
            raise MissingExtraError(
                f"{error.name} is not installed", where="btlib.thesis.models", hint="pip install 'btlib[torch]'"
            ) from error
        raise


def __getattr__(name: str) -> Any:
    if name in ("ModelOutput", "TumourModel"):
        return getattr(_torch_room("network"), name)
    if name in ("load_thesis_state_dict", "to_thesis_state_dict"):
        return getattr(_torch_room("thesis_names"), name)
    raise AttributeError(f"module 'btlib.thesis.models' has no attribute {name!r}")
