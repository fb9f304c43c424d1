"""From PyTorch to an ONNX file that has shown, on samples, that it says the same."""

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
"""Largest difference of a probability that counts as the same."""

DICE_GAP = 1e-3
"""Largest difference of a sample's Dice that counts as the same."""


@dataclass(frozen=True)
class Parity:
    """How far an exported file is from its model.

    Attributes:
        samples: On how many samples.
        probabilities: Largest difference of a probability, 0…1.
        dice: Largest difference of a sample's Dice; None where the model has no mask.
    """

    samples: int
    probabilities: float
    dice: float | None


class _Probabilities(torch.nn.Module):
    """The model with its mapping inside: [n, channels, h, w] → the probabilities that it has, in a fixed order."""

    def __init__(self, predictor: TorchPredictor, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        self.outputs, self.channels = predictor.outputs, predictor.channels or -1  # -1 leaves them as they are

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

    Input "images" [n, channels, h, w], of any n, h and w that the module takes; outputs "mask_prob" and "class_prob",
    as far as it has them. The file appears only when it gave the module's own predictions on the samples.

    Args:
        predictor: On the CPU, in fp32.
        path: The file.
        images: To compare on, float32 [n, channels, h, w], n ≥ 2.
        masks: Their true masks, bool [n, structures, h, w].
        threshold: Of the mask, for Dice.

    Raises:
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
        ModelError: It cannot be exported, or the file says something else than the module.
    """
    if not isinstance(predictor.model, torch.nn.Module):
        raise ModelError("expected a torch module to export", where=path, hint="export what TorchPredictor was given")
    said = predictor.predict(images)
    names = [name for name in ("mask_prob", "class_prob") if getattr(said, name) is not None]
    with files.atomic_path(Path(path)) as part:
        _write(_Probabilities(predictor, predictor.model).eval(), images, names, part, path)
        written = OnnxPredictor(part, providers=["CPUExecutionProvider"])  # CUDA's would be compared with the CPU's
        parity = _parity(said, written.predict(images), masks, threshold)
        if not (parity.probabilities <= PROBABILITY_GAP and (parity.dice or 0.0) <= DICE_GAP):
            raise ModelError(
                f"the exported file says something else than the model on {parity.samples} samples: probabilities "
                f"differ by up to {parity.probabilities:.2g} (at most {PROBABILITY_GAP:g}), Dice by "
                f"{parity.dice or 0:.2g} (at most {DICE_GAP:g}); it was not kept",
                where=path,
                hint="look for randomness or a custom operation in the model's forward",
            )
    return parity


def _write(
    module: torch.nn.Module, images: NDArray[np.float32], names: list[str], part: Path, path: Path | str
) -> None:
    with extras.named():
        for package in ("onnx", "onnxscript"):  # torch asks for both, in words of its own
            importlib.import_module(package)
    dynamic = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    try:
        with warnings.catch_warnings():
            # torch 2.11 exports by what it deprecates itself: its authors' business, not our user's
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
