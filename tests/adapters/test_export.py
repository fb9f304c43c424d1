"""Exported files say what the model says; where they do not, there is no file. And all routes score alike."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from btlib import evaluate
from btlib.adapters import OnnxPredictor, Outputs, SavedPredictions, TorchPredictor, save_predictions
from btlib.adapters.export import Parity, export_onnx
from btlib.data.dataset import Dataset
from btlib.errors import ModelError
from btlib.evaluation.aggregate import per_sample
from btlib.thesis.models import VARIANTS, create

BOTH = Outputs(0, 1)


Exported = tuple[TorchPredictor, Path, Parity]


@pytest.fixture(scope="module")
def slices(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(6, size=48)


@pytest.fixture(scope="module")
def exported(slices: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """A variant whose masks are neither empty nor full, and whose head dropout would show; its file, and their parity.

    Exporting takes seconds: each is exported once.
    """

    @cache
    def make(name: str) -> Exported:
        torch.manual_seed(1)
        model = create(name, backbone="tiny")
        for module in model.modules():  # statistics that differ from those of a fresh batch norm
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -0.1, 0.1)
        if model.decoder is not None:
            nn.init.constant_(model.decoder[-1].bias, 0.6)
        predictor, path = TorchPredictor(model, "cpu"), tmp_path_factory.mktemp("exported") / "net.onnx"
        return predictor, path, export_onnx(predictor, path, slices.images, slices.masks)

    return make


@pytest.mark.parametrize(
    "name",  # mask, classes, up-sampled probabilities, coupling
    ["F", *(pytest.param(name, marks=pytest.mark.nightly) for name in "ABC")],
)
def test_torch_onnx_and_saved_predictions_score_alike(
    name: str, exported: Callable[[str], Exported], slices: Dataset, tmp_path: Path
):
    predictor, path, parity = exported(name)
    assert parity.samples == 6
    assert parity.probabilities < 1e-5
    assert (parity.dice is None) == (not VARIANTS[name].has_mask)
    onnx = OnnxPredictor(path)
    saved = SavedPredictions(save_predictions(tmp_path / "said.npz", slices, onnx))
    tables = [evaluate(p, slices, batch_size=4, threshold=0.65).samples for p in (predictor, onnx, saved)]
    for table in tables[1:]:
        if VARIANTS[name].has_mask:
            assert 0 < per_sample(tables[0], "dice").mean() < 1
            assert per_sample(table, "dice") == pytest.approx(per_sample(tables[0], "dice"), abs=1e-3)
        if VARIANTS[name].has_classes:
            assert table.class_prob == pytest.approx(np.array(tables[0].class_prob), abs=1e-5)
        assert (table.has_mask, table.has_classes) == (tables[0].has_mask, tables[0].has_classes)


def test_size_and_batch_of_the_file_are_free(exported: Callable[[str], Exported]):
    predictor, path, _ = exported("F")
    images = np.random.default_rng(1).random((1, 1, 33, 50), dtype=np.float32)
    direct, there = predictor.predict(images), OnnxPredictor(path).predict(images)
    assert there.mask_prob == pytest.approx(direct.mask_prob, abs=1e-5)
    assert there.class_prob == pytest.approx(direct.class_prob, abs=1e-5)


class Net(nn.Module):
    """Three channels, logits in a tuple."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.mean(dim=1, keepdim=True) - 1, x.mean(dim=(2, 3))


def test_the_mapping_goes_into_the_file(slices: Dataset, tmp_path: Path):
    predictor = TorchPredictor(Net(), "cpu", outputs=BOTH, channels=3)
    export_onnx(predictor, tmp_path / "net.onnx", slices.images, slices.masks)
    said, there = (p.predict(slices.images) for p in (predictor, OnnxPredictor(tmp_path / "net.onnx")))
    assert there.mask_prob == pytest.approx(said.mask_prob, abs=1e-6)
    assert there.class_prob == pytest.approx(said.class_prob, abs=1e-6)


def test_a_file_that_says_something_else_is_not_kept(slices: Dataset, tmp_path: Path):
    class Split(Net):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mask, types = super().forward(x)
            return (mask + 0.01 if torch.compiler.is_exporting() else mask), types

    (tmp_path / "net.onnx").write_text("the old one")
    with pytest.raises(
        ModelError, match=r"net\.onnx: the predictions of the exported file differ from the model's on 6 samples"
    ):
        export_onnx(TorchPredictor(Split(), "cpu", outputs=BOTH, channels=3), tmp_path / "net.onnx", *pair(slices))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["the old one"]


def test_a_module_that_cannot_be_exported_leaves_no_file(slices: Dataset, tmp_path: Path):
    class Stubborn(Net):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mask, types = super().forward(x)
            return (mask if x.sum().item() > 0 else -mask), types

    with pytest.raises(ModelError, match=r"net\.onnx: cannot be exported: "):
        export_onnx(TorchPredictor(Stubborn(), "cpu", outputs=BOTH, channels=3), tmp_path / "net.onnx", *pair(slices))
    with pytest.raises(ModelError, match="expected a torch module"):
        export_onnx(TorchPredictor(lambda x: x, "cpu", outputs=Outputs(0)), tmp_path / "net.onnx", *pair(slices))
    assert list(tmp_path.iterdir()) == []


def pair(slices: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return slices.images, slices.masks
