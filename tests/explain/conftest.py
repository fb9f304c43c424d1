import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from btlib.adapters.outputs import NAMED
from btlib.data.dataset import Dataset
from btlib.engines import Subject
from btlib.thesis.models import create
from btlib.thesis.models.network import TumourModel


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
    """A tiny variant to explain."""

    def make(variant: str = "F", precision: str = "fp32") -> Subject:
        return Subject(tiny(variant), NAMED, torch.device("cpu"), precision, 64, "test", tmp_path / "engines")

    return make


@pytest.fixture(scope="session")
def trained(make_dataset: Callable[..., Dataset], tiny: Callable[[str], TumourModel]) -> TumourModel:
    """F, which has learnt to tell the types by the bright squares; to be copied, not changed."""
    model, samples = tiny("F"), make_dataset(24, 64)
    images, labels = torch.from_numpy(samples.images), torch.from_numpy(samples.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(30):
        torch.nn.functional.cross_entropy(model(images).class_logits, labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.fixture
def learnt(trained: TumourModel, subject: Callable[..., Subject]) -> Subject:
    """The same in bf16: hiding the squares has large effects."""
    return replace(subject("F", "bf16"), model=copy.deepcopy(trained))


@pytest.fixture
def unsure(learnt: Subject) -> Subject:
    """The same with a head that hardly minds its features: effects smaller than bf16 can show."""
    with torch.no_grad():
        learnt.model.head.out.weight *= 1e-3
        learnt.model.head.out.bias.copy_(torch.tensor([0.3, -0.2, 0.1]))
    return learnt


@pytest.fixture
def samples(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(12, 64)
