"""A work of a dozen samples, and the samples themselves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.cases import Work
from btlib.data.dataset import Dataset
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(12)


@pytest.fixture
def work(tmp_path: Path, dataset: Dataset) -> Work:
    protocol = Protocol(image_size=32)
    return Work.on(dataset, slice_seed42(12), protocol, Recipe(name="test"), 7, tmp_path / "checkpoints")
