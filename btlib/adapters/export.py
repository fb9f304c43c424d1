"""Export from PyTorch to an ONNX file, checked on samples against the predictions of the model."""

import importlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib import extras, files, metrics
from btlib.adapters.onnx import OnnxPredictor
from btlib.adapters.torch import OPS, TorchPredictor
from btlib.errors import ModelError
from btlib.types import Predictions

with extras.named():
    import torch

PROBABILITY_GAP = 1e-4
"""Largest allowed difference of a probability."""

DICE_GAP = 1e-3
"""Largest allowed difference of a sample's Dice."""


@dataclass(frozen=True)
class Parity:
    """Differences between the predictions of an exported file and those of its model.

    Attributes:
        samples: Number of samples compared.
        probabilities: Largest difference of a probability, 0…1.
        dice: Largest difference of a sample's Dice, 0…1; None if the model predicts no mask.
    """

    samples: int
    probabilities: float
    dice: float | None


class _Probabilities(torch.nn.Module):
    """Model together with its output mapping: images [n, channels, h, w] → mask and class probabilities, if present."""

    def __init__(self, predictor: TorchPredictor, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        self.outputs, self.channels = predictor.outputs, predictor.channels or -1  # -1 keeps the number of channels

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        raw = self.model(images.expand(-1, self.channels, -1, -1))
        return tuple(part for part in self.outputs.read(raw, OPS) if part is not None)


def export_onnx(
    predictor: TorchPredictor,
    path: Path | str,
    images: NDArray[np.float32],
    masks: NDArray[np.bool_],
    threshold: float = 0.65,
) -> Parity:
    """Write a predictor's module as an ONNX file, for `OnnxPredictor(path)`.

    The input is "images" [n, channels, h, w], with any n, h and w that the module accepts. The outputs are "mask_prob"
    and "class_prob", if the module has them. The file is stored only if its predictions on the samples agree with the
    module's predictions.

    Args:
        predictor: Predictor on the CPU, in fp32.
        path: Path of the file to write.
        images: Samples for the comparison, float32 [n, channels, h, w], n ≥ 2.
        masks: True masks of the samples, bool [n, structures, h, w].
        threshold: Threshold of the mask probability, for Dice.

    Raises:
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
        ModelError: The module cannot be exported, or the predictions of the file differ from those of the module.
    """
    if not isinstance(predictor.model, torch.nn.Module):
        raise ModelError("expected a torch module to export", where=path, hint="build TorchPredictor with a module")
    expected = predictor.predict(images)
    names = [name for name in ("mask_prob", "class_prob") if getattr(expected, name) is not None]
    with files.atomic_path(Path(path)) as part:
        _write(_Probabilities(predictor, predictor.model).eval(), images, names, part, path)
        written = OnnxPredictor(part, providers=["CPUExecutionProvider"])  # like the model
        parity = _parity(expected, written.predict(images), masks, threshold)
        if not (parity.probabilities <= PROBABILITY_GAP and (parity.dice or 0.0) <= DICE_GAP):
            raise ModelError(
                f"the predictions of the exported file differ from the model's on {parity.samples} samples: "
                f"probabilities by up to {parity.probabilities:.2g} (allowed {PROBABILITY_GAP:g}), Dice by up to "
                f"{parity.dice or 0:.2g} (allowed {DICE_GAP:g}); the file was not stored",
                where=path,
                hint="look for randomness or a custom operation in the model's forward",
            )
    return parity


def _write(
    module: torch.nn.Module, images: NDArray[np.float32], names: list[str], part: Path, path: Path | str
) -> None:
    with extras.named():
        for package in ("onnx", "onnxscript"):  # torch's messages for these two name no btlib extra
            importlib.import_module(package)
    dynamic = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    try:
        with warnings.catch_warnings():
            # torch 2.11 uses functions for the export that it deprecates itself; users cannot change that
            warnings.simplefilter("ignore", FutureWarning)
            torch.onnx.export(
                module,
                (torch.from_numpy(images),),
                part,
                input_names=["images"],
                output_names=names,
                dynamic_shapes={"images": dynamic},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        raise ModelError(f"cannot be exported: {error}", where=path) from error


def _parity(one: Predictions, other: Predictions, masks: NDArray[np.bool_], threshold: float) -> Parity:
    gaps = [
        float(np.abs(a - b).max())
        for a, b in ((one.mask_prob, other.mask_prob), (one.class_prob, other.class_prob))
        if a is not None and b is not None
    ]
    if one.mask_prob is None or other.mask_prob is None:
        return Parity(len(masks), max(gaps), None)
    dice = [
        metrics.dice_from_counts(*metrics.counts(p.reshape(masks.shape) > threshold, masks))
        for p in (one.mask_prob, other.mask_prob)
    ]
    return Parity(len(masks), max(gaps), float(np.abs(dice[0] - dice[1]).max()))
