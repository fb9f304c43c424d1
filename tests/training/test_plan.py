from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from btlib.protocol import Recipe
from btlib.splits import Split
from btlib.training import Plan
from btlib.training import plan as room

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
        lambda p: {"dataset": replace(p.dataset, labels=p.dataset.labels[::-1])},
        lambda p: {"dataset": replace(p.dataset, images=p.dataset.images + 1)},
        lambda p: {"dataset": replace(p.dataset, masks=~p.dataset.masks)},
        lambda p: {"dataset": replace(p.dataset, numbers=p.dataset.numbers + 1)},
        lambda p: {"dataset": replace(p.dataset, scaling="percentile")},
        lambda p: {"split": Split("slice-seed42", p.split.train[::-1], p.split.val, p.split.test)},
    ],
)
def test_every_ingredient_counts(make_plan: Make, change: Callable[[Plan], dict]):
    plan = make_plan()
    assert replace(plan, **change(plan)).fingerprint != plan.fingerprint


@pytest.mark.parametrize("field", [f.name for f in fields(Recipe)])
def test_every_field_of_the_recipe_counts(make_plan: Make, field: str):
    plan = make_plan()
    assert replace(plan, recipe=replace(plan.recipe, **{field: "other"})).fingerprint != plan.fingerprint


def test_the_code_counts(make_plan: Make, monkeypatch: pytest.MonkeyPatch):
    before = make_plan().fingerprint
    monkeypatch.setattr(room, "code_fingerprint", lambda: "other")
    assert make_plan().fingerprint != before
