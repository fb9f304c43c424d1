"""The thesis's own fields of a recipe, and how they follow the general ones."""

from dataclasses import asdict, fields, replace

import pytest

from btlib.protocol import Recipe
from btlib.thesis.recipe import ThesisRecipe, thesis_recipe

OTHER = Recipe(
    name="other",
    epochs=7,
    batch_size=5,
    learning_rate=0.25,
    schedule="cosine",
    scaling="percentile",
    augment=True,
    keep="best",
    threshold="validation",
)
"""In which nothing but `quick` is at its default."""


def test_a_plain_recipe_gets_the_thesis_s_own_fields() -> None:
    assert all(getattr(OTHER, f.name) != f.default for f in fields(Recipe) if f.name != "quick")
    made, own = thesis_recipe(OTHER), asdict(ThesisRecipe())
    assert asdict(made) == own | asdict(OTHER)
    assert (made.backbone, made.weights) == ("resnet50", "auto")


def test_a_quick_recipe_is_tiny_and_from_scratch() -> None:
    made = thesis_recipe(replace(OTHER, quick=True))
    assert made == replace(thesis_recipe(OTHER), quick=True, backbone="tiny", weights="none")


@pytest.mark.parametrize("recipe", [ThesisRecipe(), ThesisRecipe(quick=True, backbone="resnet50", weights="coco")])
def test_its_own_recipes_stay_as_they_are(recipe: ThesisRecipe) -> None:
    assert thesis_recipe(recipe) is recipe


@pytest.mark.parametrize(
    ("epochs", "head", "asked", "expected"),
    [(12, 120, 6, 60), (12, 120, 1, 10), (10, 3, 5, 1), (10, 3, 1, 1), (4, 6, 8, 12), (10, None, 5, None)],
)
def test_epochs_of_a_head_follow_in_proportion(epochs: int, head: int | None, asked: int, expected: int | None) -> None:
    recipe = ThesisRecipe(epochs=epochs, head_epochs=head, weights="none", batch_size=3)
    assert recipe.with_epochs(asked) == replace(recipe, epochs=asked, head_epochs=expected)


def test_epochs_of_a_plain_recipe() -> None:
    assert OTHER.with_epochs(3) == replace(OTHER, epochs=3)
    assert type(OTHER.with_epochs(3)) is Recipe
