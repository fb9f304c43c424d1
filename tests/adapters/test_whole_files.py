"""States, exported models and converted programs are written whole or not at all, and leave nothing behind."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from btlib.adapters import export
from btlib.adapters.export import Parity, export_onnx
from btlib.adapters.outputs import Outputs
from btlib.adapters.state import StateFile
from btlib.adapters.torch import TorchPredictor
from btlib.errors import ModelError

IMAGES, MASKS = np.zeros((2, 1, 4, 6), np.float32), np.ones((2, 1, 4, 6), bool)


def half(path: Path) -> None:
    path.write_bytes(b"half")
    raise OSError("no space left")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_state(tmp_path: Path):
    file = StateFile(tmp_path / "state.pt")
    with pytest.raises(OSError, match="no space left"):
        file.write(half)
    assert names(tmp_path) == []
    file.write(lambda path: path.write_bytes(b"whole"))
    with pytest.raises(OSError, match="no space left"):
        file.write(half)
    assert names(tmp_path) == ["state.pt"]
    assert file.path.read_bytes().startswith(b"whole\n")


@pytest.mark.parametrize("fault", ["half", "another", "other masks"])
def test_an_exported_model(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One that is written in half, or that says something else than the model."""
    predictor = TorchPredictor(torch.nn.Conv2d(1, 1, 1), "cpu", outputs=Outputs(mask=0, classes=None))
    gap = {"another": Parity(2, 2 * export.PROBABILITY_GAP, 0.0), "other masks": Parity(2, 0.0, 2 * export.DICE_GAP)}

    def write(module: Any, images: Any, names: Any, part: Path, path: Path) -> None:
        if fault == "half":
            half(part)
        part.write_bytes(b"whole")

    monkeypatch.setattr(export, "_write", write)
    monkeypatch.setattr(export, "OnnxPredictor", lambda part, providers: SimpleNamespace(predict=lambda images: None))
    monkeypatch.setattr(export, "_parity", lambda *args: gap[fault])
    monkeypatch.setattr(predictor, "predict", lambda images: SimpleNamespace(mask_prob=images, class_prob=None))
    path = tmp_path / "net.onnx"
    for before in ([], ["net.onnx"]):
        with pytest.raises((OSError, ModelError)):
            export_onnx(predictor, path, IMAGES, MASKS)
        assert names(tmp_path) == before
        path.write_bytes(b"old")
    assert path.read_bytes() == b"old"
