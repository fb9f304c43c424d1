from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btlib.data.dataset import Dataset
from btlib.protocol import Protocol
from btlib.splits import slice_seed42
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.training import Plan


@pytest.fixture
def make_plan(make_dataset: Callable[..., Dataset]) -> Callable[..., Plan]:
    """A plan that trains in a second: the tiny backbone on 32 pixels."""

    def make(variant: str = "D", *, seed: int = 7, n: int = 20, **recipe: Any) -> Plan:
        usual = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=3, batch_size=4, schedule="cosine")
        usual = replace(usual, drifting_batch_norm=False)
        dataset, split, protocol = make_dataset(n), slice_seed42(n), Protocol(image_size=32)
        parts = dataset.part(split.train), dataset.part(split.val)
        prints = dataset.fingerprint, split.fingerprint
        return Plan(variant, replace(usual, **recipe), *parts, *prints, protocol, seed, "fp32")

    return make
