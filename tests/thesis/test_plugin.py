"""The thesis's options: how they are written, what they do to a tier, and what they are refused with."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from btlib import hooks
from btlib.errors import OptionError, UnknownNameError
from btlib.options import RunOptions, adjusted, declarations, parser_of, plugin_options
from btlib.protocol import TIERS, Recipe, Tier, apply_preset
from btlib.runs.plan import RunPlan
from btlib.thesis.recipe import ThesisRecipe

OPTIONS = {option.name: option for option in plugin_options()}
FULL, SMOKE = TIERS["full"], TIERS["smoke"]


def tier_with(tier: Tier, plugins: Mapping[str, Any], **more: Any) -> Tier:
    return adjusted(tier, RunOptions(plugins=plugins, **more))


def test_its_options_and_what_they_are_unless_given() -> None:
    found = {name: (option.key, option.declared.kind, option.default) for name, option in OPTIONS.items()}
    assert found == {
        "weights": ("weights", "text", None),
        "batch-norm": ("batch_norm", "text", None),
        "compile-training": ("compile_training", "flag", False),
        "thesis-checkpoints": ("thesis_checkpoints", "folder", None),
    }
    assert OPTIONS["weights"].declared.choices == ("auto", "coco", "imagenet", "none")
    assert OPTIONS["batch-norm"].declared.choices == ("drifting", "frozen")
    assert not {option.key for option in OPTIONS.values()} & declarations().keys()


def test_how_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    weights = parser_of(OPTIONS["weights"].declared, tmp_path, "--weights")
    assert weights("imagenet") == "imagenet"
    with pytest.raises(UnknownNameError, match=r"'imagnet'(.|\n)*did you mean 'imagenet'"):
        weights("imagnet")
    folder = parser_of(OPTIONS["thesis-checkpoints"].declared, tmp_path, "--thesis-checkpoints")
    assert folder("theirs") == tmp_path / "theirs"
    with pytest.raises(OptionError, match="others is not a folder"):
        folder("others")


@pytest.mark.parametrize("weights", ["auto", "coco", "imagenet", "none"])
def test_the_weights_that_a_run_starts_from(weights: str) -> None:
    assert tier_with(FULL, {"weights": weights}) == replace(FULL, recipe=ThesisRecipe(weights=weights))
    assert tier_with(SMOKE, {"weights": weights}).recipe == replace(SMOKE.recipe, weights=weights)


@pytest.mark.parametrize(("asked", "drifting"), [("drifting", True), ("frozen", False)])
def test_the_batch_norm_of_c(asked: str, drifting: bool) -> None:
    modern = apply_preset(FULL, "cpu128", "modern")
    for tier in (FULL, SMOKE, modern):
        found = tier_with(tier, {"batch_norm": asked})
        assert found == replace(tier, recipe=replace(tier.recipe, drifting_batch_norm=drifting))  # type: ignore[call-arg]


def test_a_compiled_training() -> None:
    assert tier_with(FULL, {"compile_training": True}) == replace(FULL, recipe=ThesisRecipe(compiled=True))
    both = tier_with(FULL, {"compile_training": True, "weights": "none"}, batch_size=3)
    assert both.recipe == ThesisRecipe(compiled=True, weights="none", batch_size=3)


def test_what_is_not_given_changes_nothing() -> None:
    nothing = {"weights": None, "batch_norm": None, "compile_training": False, "thesis_checkpoints": None}
    for plugins in ({}, nothing):
        for tier in (FULL, SMOKE, replace(FULL, recipe=Recipe(quick=True))):
            assert tier_with(tier, plugins) == tier
            assert type(tier_with(tier, plugins).recipe) is type(tier.recipe)


def test_epochs_that_the_user_asks_for_are_those_of_the_head_too() -> None:
    """Of the smoke tier's C, whose head has epochs of its own."""
    assert SMOKE.recipe.head_epochs == 60  # type: ignore[attr-defined]
    asked = tier_with(SMOKE, {}, epochs=5)
    assert asked.recipe == replace(SMOKE.recipe, epochs=5, head_epochs=None)  # type: ignore[call-arg]
    other = tier_with(SMOKE, {}, batch_size=5)
    assert other.recipe == replace(SMOKE.recipe, batch_size=5)


def test_a_plain_recipe_is_filled_up_where_an_option_needs_it() -> None:
    plain = replace(FULL, recipe=Recipe(name="plain", learning_rate=0.1, quick=True))
    found = tier_with(plain, {"compile_training": True}).recipe
    expected = ThesisRecipe(name="plain", learning_rate=0.1, quick=True, backbone="tiny", weights="none", compiled=True)
    assert found == expected


def plan(**asked: Any) -> RunPlan:
    return RunPlan(FULL, RunOptions(**asked), {"D": frozenset()})


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("retrain", {"retrain": True}),
        ("recipe", {"recipe": "modern"}),
        ("seeds", {"seeds": 2}),
        ("batch-norm", {"plugins": {"batch_norm": "frozen"}}),
    ],
)
def test_its_checkpoints_are_one_training_each(name: str, asked: dict[str, Any], tmp_path: Path) -> None:
    theirs = {"thesis_checkpoints": tmp_path}
    with pytest.raises(OptionError, match=rf"(?s)--bt-{name} .*thesis-checkpoints.*one training each"):
        hooks.call().btlib_check_plan(plan=plan(**asked | {"plugins": theirs | asked.get("plugins", {})}))
    hooks.call().btlib_check_plan(plan=plan(**asked))  # without them all of it is fine
    hooks.call().btlib_check_plan(plan=plan(plugins=theirs | {"weights": "none"}, epochs=3))
