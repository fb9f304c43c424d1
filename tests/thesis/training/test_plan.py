from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from btlib.data.dataset import Dataset
from btlib.protocol import Recipe
from btlib.splits import Split, slice_seed42
from btlib.thesis.training import Plan
from btlib.thesis.training import plan as room

Make = Callable[..., Plan]


def test_the_same_ingredients_have_the_same_fingerprint(make_plan: Make):
    assert make_plan().fingerprint == make_plan().fingerprint


@pytest.mark.parametrize(
    "change",
    [
        lambda p: {"variant": "E"},
        lambda p: {"seed": 8},
        lambda p: {"precision": "bf16"},
        lambda p: {"starts_from": "abc"},
        lambda p: {"train": replace(p.train, scaling="percentile")},
    ],
)
def test_every_ingredient_counts(make_plan: Make, change: Callable[[Plan], dict]):
    plan = make_plan()
    assert replace(plan, **change(plan)).fingerprint != plan.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        lambda d: {"labels": d.labels[::-1]},
        lambda d: {"images": d.images + 1},
        lambda d: {"masks": ~d.masks},
        lambda d: {"ids": np.char.add(d.ids, "1")},
    ],
)
def test_the_data_count(make_plan: Make, make_dataset: Callable[..., Dataset], change: Callable[[Dataset], dict]):
    """The whole data set's, of which a plan has parts alone."""
    plan, data = make_plan(n=20), make_dataset(20)
    assert plan.data == data.fingerprint
    assert replace(plan, data=replace(data, **change(data)).fingerprint).fingerprint != plan.fingerprint


def test_the_split_counts(make_plan: Make):
    plan, split = make_plan(n=20), slice_seed42(20)
    assert plan.split == split.fingerprint
    other = Split("slice-seed42", split.train[::-1], split.val, split.test)
    assert replace(plan, split=other.fingerprint).fingerprint != plan.fingerprint


@pytest.mark.parametrize("field", [f.name for f in fields(Recipe)])
def test_every_field_of_the_recipe_counts(make_plan: Make, field: str):
    plan = make_plan()
    value = getattr(plan.recipe, field)
    other: object = "other"
    if isinstance(value, bool):
        other = not value
    elif isinstance(value, int | float):
        other = value * 2
    assert replace(plan, recipe=replace(plan.recipe, **{field: other})).fingerprint != plan.fingerprint


def test_the_code_counts(make_plan: Make, monkeypatch: pytest.MonkeyPatch):
    before = make_plan().fingerprint
    monkeypatch.setattr(room, "code_fingerprint", lambda: "other")
    assert make_plan().fingerprint != before
