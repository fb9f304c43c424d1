"""PyTorch models of other makes: other outputs, three channels, TorchScript, exported programs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from btlib.adapters import Outputs, TorchPredictor, load_torch
from btlib.adapters.torch import torchscript_is_old
from btlib.errors import ModelError

from .conftest import WEIGHTS


class Net(nn.Module):
    """The model of these tests, on any number of equal channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.from_numpy(WEIGHTS))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows = (2 * torch.arange(x.shape[2], device=x.device) / (x.shape[2] - 1) - 1)[:, None]  # linspace fixes h
        mean, most = x.mean(dim=(1, 2, 3)), x.amax(dim=(1, 2, 3))
        return x[:, :1] * 4 - 2 + rows, torch.stack([mean, most], dim=1) @ self.weights


@pytest.mark.parametrize("channels", [1, 3])
def test_a_module_with_outputs_of_its_own(channels: int, same: Callable[..., None]):
    seen = []
    net = Net()
    net.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[1]))
    same(TorchPredictor(net, "cpu", outputs=Outputs(0, 1), channels=channels))
    assert seen == [channels]


def test_a_function_on_tensors(same: Callable[..., None]):
    net = Net()
    same(TorchPredictor(lambda x: {"m": net(x)[0][:, 0], "c": net(x)[1]}, "cpu", outputs=Outputs("m", "c")))


def test_softmax_over_two_channels(same: Callable[..., None]):
    class Two(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mask = super().forward(x)[0]
            return torch.cat([torch.zeros_like(mask), mask], dim=1)

    same(TorchPredictor(Two(), "cpu", outputs=Outputs(0, mask_channels=2)), classes=False)


def test_torchscript(tmp_path: Path, images: np.ndarray, same: Callable[..., None]):
    with torchscript_is_old():
        torch.jit.script(Net()).save(tmp_path / "net.pt")
    same(load_torch(tmp_path / "net.pt", Outputs(0, 1), device="cpu"))


def test_an_exported_program(tmp_path: Path, same: Callable[..., None]):
    dynamic = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    program = torch.export.export(Net(), (torch.zeros(2, 1, 16, 24),), dynamic_shapes=(dynamic,))
    torch.export.save(program, tmp_path / "net.pt2")
    same(load_torch(tmp_path / "net.pt2", Outputs(0, 1), device="cpu"))


def test_files_that_hold_no_program(tmp_path: Path):
    torch.save(Net().state_dict(), tmp_path / "weights.pt")
    (tmp_path / "text.pt").write_text("lost")
    for name in ("weights.pt", "text.pt"):
        with pytest.raises(ModelError, match=rf"{name}: .* contains neither(.|\n)*pass the module to TorchPredictor"):
            load_torch(tmp_path / name, Outputs(0))
    with pytest.raises(ModelError, match="the file does not exist"):
        load_torch(tmp_path / "nix.pt", Outputs(0))
