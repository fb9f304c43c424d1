"""Adapter for PyTorch: modules, functions on tensors, TorchScript and exported programs."""

import contextlib
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.adapters.arrays import checked, repeats, required
from btlib.adapters.device_choice import DEVICES
from btlib.adapters.outputs import NAMED, Ops, Outputs
from btlib.errors import ModelError
from btlib.types import Predictions

with extras.named():
    import torch

    from btlib.adapters.devices import (
        PRECISIONS,
        Precision,
        autocast,
        fastest_kernels,
        forked_rng,
        resolve_device,
        resolve_precision,
        seed_rng,
        steady_kernels,
        synchronize,
    )

__all__ = [
    "DEVICES",
    "PRECISIONS",
    "Precision",
    "TorchPredictor",
    "autocast",
    "fastest_kernels",
    "forked_rng",
    "load_torch",
    "resolve_device",
    "resolve_precision",
    "seed_rng",
    "synchronize",
]

OPS = Ops(lambda part: part.float(), torch.sigmoid, torch.softmax)


class TorchPredictor:
    """Predictor that runs a PyTorch model.

    Args:
        model: Module or function: float32 images [n, channels, h, w] → any value that `outputs` can read.
        device: Device that runs the model: a device, or one of `DEVICES`. A module is moved to it.
        precision: "fp32", "bf16" (with autocast) or "auto".
        outputs: Mapping that finds masks and classes in the returned value.
        channels: Number of channels that the model expects. An image with one channel is repeated; None passes images
            unchanged.

    Raises:
        UnknownNameError: The device or precision does not exist.
        OptionError: This machine does not have the device.
    """

    def __init__(
        self,
        model: Callable[[torch.Tensor], Any],
        device: torch.device | str = "auto",
        precision: str = "fp32",
        outputs: Outputs = NAMED,
        channels: int | None = None,
    ) -> None:
        self.model = model
        self.device = device if isinstance(device, torch.device) else resolve_device(device)
        self.precision = resolve_precision(precision, self.device)
        self.outputs = outputs
        self.channels = checked(channels)
        if isinstance(model, torch.nn.Module):
            model.to(self.device).to(memory_format=torch.channels_last)

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Return predictions for float32 images [n, channels, h, w], after the device has finished."""
        repeated = repeats(required(images).shape[1], self.channels)
        if isinstance(self.model, torch.nn.Module):
            self.model.eval()  # each time: a training step between two calls may have switched dropout on
        batch = torch.from_numpy(images).to(self.device)
        batch = batch.expand(-1, repeated, -1, -1) if repeated > 1 else batch
        with torch.inference_mode(), autocast(self.device, self.precision), steady_kernels():
            raw = self.model(batch)
        mask, classes = self.outputs.read(raw, OPS)
        return Predictions(
            mask_prob=None if mask is None else mask.cpu().numpy(),
            class_prob=None if classes is None else classes.cpu().numpy(),
        )


def load_torch(
    path: Path | str, outputs: Outputs, device: str = "auto", precision: str = "fp32", channels: int | None = None
) -> TorchPredictor:
    """Load a saved program as a predictor: TorchScript (`torch.jit.save`) or an exported program (`torch.export.save`).

    Args:
        path: Path of the file. It contains code: load only files that you trust.
        outputs: See `TorchPredictor`.
        device: One of `DEVICES`.
        precision: "fp32", "bf16" or "auto".
        channels: See `TorchPredictor`.

    Raises:
        ModelError: The file does not exist, or contains no program.
    """
    path = Path(path)
    place = resolve_device(device)
    return TorchPredictor(_program(path, place), place, precision, outputs, channels)


@contextlib.contextmanager
def torchscript_is_old() -> Iterator[None]:
    """Context that ignores TorchScript's deprecation: a DeprecationWarning in torch 2.11, later a FutureWarning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit")
        yield


def _program(path: Path, device: torch.device) -> Callable[[torch.Tensor], Any]:
    if not path.is_file():
        raise ModelError("the file does not exist", where=path, hint="give the path of a saved program")
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    if any("/models/" in name for name in names):
        from torch.export.passes import move_to_device_pass

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given buffer is not writable")  # from torch 2.11's own reader
            program = torch.export.load(path)
        exported = move_to_device_pass(program, device).module()
        return lambda images: exported(images)  # a function, because the module does not support eval()
    if any("/code/" in name for name in names):
        with torchscript_is_old():
            script: torch.jit.ScriptModule = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
        return script
    raise ModelError(
        "the file contains neither a TorchScript program nor an exported program",
        where=path,
        hint="for a state_dict, build the module, load the state_dict, and pass the module to TorchPredictor",
    )
