from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from btlib.adapters.torch import VARIANT
from btlib.engines import Subject
from btlib.models import create
from btlib.models.network import TumourModel


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], TumourModel]:
    """A tiny variant whose batch norms have seen data, so that folding them changes something."""

    def make(variant: str) -> TumourModel:
        torch.manual_seed(1)
        model = create(variant, backbone="tiny").train()
        with torch.no_grad():
            for _ in range(5):
                model(3 * torch.rand(4, 1, 32, 32))
        return model.eval()

    return make


@pytest.fixture
def subject(tiny: Callable[[str], TumourModel], tmp_path: Path) -> Callable[..., Subject]:
    """A tiny variant to explain. `gain` multiplies what its class head's last layer sees: small effects, or large."""

    def make(variant: str = "F", precision: str = "fp32", *, size: int = 64, gain: float = 1.0) -> Subject:
        model = tiny(variant)
        if model.head is not None:
            with torch.no_grad():
                model.head.out.weight *= gain
                model.head.out.bias.copy_(torch.tensor([0.3, -0.2, 0.1]))
        return Subject(model, VARIANT, torch.device("cpu"), precision, size, "test", tmp_path / "engines")

    return make


@pytest.fixture
def image() -> np.ndarray:
    """Noise with a bright block off the centre."""
    slice_ = np.random.default_rng(3).random((64, 64), dtype=np.float32)
    slice_[10:30, 30:56] += 4
    return slice_
