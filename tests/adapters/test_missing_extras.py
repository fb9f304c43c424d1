"""Without a framework its adapter names the extra that brings it, and the others go on."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import btlib.adapters
from btlib import extras
from btlib.adapters import CallablePredictor, JaxPredictor, OnnxPredictor, Outputs, load_keras
from btlib.errors import MissingExtraError


def absent(patch: pytest.MonkeyPatch, *packages: str) -> None:
    """As if these were not installed."""
    for name in packages:
        patch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("onnxruntime", "onnx", lambda: OnnxPredictor("net.onnx", Outputs(0))),
        ("jax", "jax", lambda: JaxPredictor(lambda p, x: x, None, Outputs(0))),
        ("keras", "keras", lambda: load_keras("net.keras", Outputs(0))),
    ],
)
def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, package: str, extra: str, use: object):
    absent(monkeypatch, package)
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed\n.*pip install 'btlib\[{extra}\]'"):
        use()


@pytest.mark.parametrize("name", ["torch", "devices", "export", "state"])
def test_the_rooms_of_torch_name_it_when_they_are_entered(monkeypatch: pytest.MonkeyPatch, name: str):
    absent(monkeypatch, "torch")
    for room in ("torch", "devices", "export", "state"):
        monkeypatch.delitem(sys.modules, f"btlib.adapters.{room}", raising=False)
    with pytest.raises(MissingExtraError, match=r"torch is not installed\n.*pip install 'btlib\[torch\]'"):
        importlib.import_module(f"btlib.adapters.{name}")


def test_exporting_names_what_writes_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import torch

    from btlib.adapters import TorchPredictor
    from btlib.adapters.export import export_onnx

    images = np.zeros((2, 1, 8, 9), np.float32)
    absent(monkeypatch, "onnxscript")
    with pytest.raises(MissingExtraError, match=r"onnxscript is not installed\n.*'btlib\[onnx\]'"):
        export_onnx(TorchPredictor(torch.nn.Identity(), "cpu", outputs=Outputs(0)), tmp_path / "a", images, images > 0)
    assert list(tmp_path.iterdir()) == []


def test_what_no_extra_brings_is_told_as_it_is():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"), extras.named():
        importlib.import_module("no_such_package")


def test_every_public_name_is_there_and_no_other():
    assert all(getattr(btlib.adapters, name) is not None for name in btlib.adapters.__all__)
    assert btlib.adapters.CallablePredictor is CallablePredictor
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        btlib.adapters.nonsense  # noqa: B018 - the access is what is tested
