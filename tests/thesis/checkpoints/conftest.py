from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from btlib.data.dataset import Dataset
from btlib.protocol import Protocol
from btlib.splits import slice_seed42
from btlib.thesis.checkpoints import Store
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.training import Plan


@pytest.fixture
def said() -> list[str]:
    """What the store reports."""
    return []


@pytest.fixture
def store(tmp_path: Path, said: list[str]) -> Store:
    return Store(tmp_path / "checkpoints", torch.device("cpu"), said.append)


@pytest.fixture
def make_plan(make_dataset: Callable[..., Dataset]) -> Callable[..., Plan]:
    """A plan of variant A on twelve samples."""

    def make(seed: int, epochs: int) -> Plan:
        dataset, split = make_dataset(12), slice_seed42(12)
        return Plan(
            "A",
            ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=epochs, batch_size=8),
            dataset.part(split.train),
            dataset.part(split.val),
            dataset.fingerprint,
            split.fingerprint,
            Protocol(image_size=32),
            seed,
            "fp32",
        )

    return make
