from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from btlib.adapters.outputs import NAMED
from btlib.data.dataset import Dataset
from btlib.engines import Subject
from btlib.thesis.models import create
from btlib.thesis.models.network import TumourModel


@pytest.fixture(scope="session")
def trained() -> Callable[[str], TumourModel]:
    """A tiny variant whose batch norms have seen data, so that folding them changes something."""
    made: dict[str, TumourModel] = {}

    def make(variant: str) -> TumourModel:
        if variant not in made:
            torch.manual_seed(0)
            model = create(variant, backbone="tiny").train()
            optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
            for _ in range(5):
                output = model(3 * torch.rand(4, 1, 32, 32))
                parts = [
                    part.float().pow(2).mean() for part in (output.mask_logits, output.class_logits) if part is not None
                ]
                torch.stack(parts).sum().backward()
                optimizer.step()
                optimizer.zero_grad()
            made[variant] = model.eval()
        return made[variant]

    return make


@pytest.fixture
def subject(trained: Callable[[str], TumourModel], tmp_path: Path) -> Callable[..., Subject]:
    """A tiny variant to run faster."""

    def make(variant: str = "F", precision: str = "fp32", **more: object) -> Subject:
        model = trained(variant)
        settings = {"identity": f"test-{variant}", "cache": tmp_path / "engines"} | more
        return Subject(model, NAMED, torch.device("cpu"), precision, 32, **settings)

    return make


@pytest.fixture
def slices(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(12)
