from pathlib import Path

import pytest
import torch

from btlib.checkpoints import Store


@pytest.fixture
def said() -> list[str]:
    """What the store reports."""
    return []


@pytest.fixture
def store(tmp_path: Path, said: list[str]) -> Store:
    return Store(tmp_path / "checkpoints", torch.device("cpu"), said.append)
