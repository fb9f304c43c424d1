"""The settings that numbers rest on, restated: tiers, recipes, and the protocols and recipes that have a name."""

from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from btlib.errors import UnknownNameError
from btlib.protocol import PRESETS, TIERS, Protocol, Recipe, apply_preset
from btlib.thesis.recipe import ThesisRecipe

GENERAL: dict[str, Any] = {
    "name": "default",
    "epochs": 10,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "schedule": "constant",
    "scaling": None,
    "augment": False,
    "keep": "last",
    "threshold": "protocol",
    "quick": False,
}
THESIS: dict[str, Any] = {
    **GENERAL,
    "name": "thesis",
    "backbone": "resnet50",
    "weights": "auto",
    "head_epochs": None,
    "seg_weight": 0.85,
    "cls_weight": 0.15,
    "drifting_batch_norm": True,
    "compiled": False,
}
PROTOCOL: dict[str, Any] = {
    "split": "slice-seed42",
    "image_size": 256,
    "scaling": "thesis",
    "threshold": 0.65,
    "batch_mean_size": 16,
}
MODERN = {
    **THESIS,
    "name": "modern",
    "weights": "none",
    "epochs": 15,
    "schedule": "cosine",
    "scaling": "percentile",
    "augment": True,
    "keep": "best",
    "threshold": "validation",
    "drifting_batch_norm": False,
}
SMOKE = {
    **THESIS,
    "name": "smoke",
    "backbone": "tiny",
    "weights": "none",
    "epochs": 12,
    "head_epochs": 60,
    "batch_size": 16,
    "learning_rate": 4e-3,
    "schedule": "cosine",
    "quick": True,
    "drifting_batch_norm": False,
}
LATER = {"compiled", "quick"}
"""Fields that recipes have got after models had been stored."""


RESTATED: dict[type[Recipe], dict[str, Any]] = {Recipe: GENERAL, ThesisRecipe: THESIS}


def test_what_any_case_may_follow() -> None:
    assert asdict(Recipe()) == GENERAL


def test_the_thesis() -> None:
    assert asdict(ThesisRecipe()) == THESIS
    assert asdict(Protocol()) == PROTOCOL


def test_the_tiers() -> None:
    assert {name: asdict(TIERS[name]) for name in TIERS} == {
        "smoke": {
            "name": "smoke",
            "protocol": PROTOCOL | {"image_size": 64},
            "recipe": SMOKE,
            "baseline": "smoke",
            "phantom_samples": 240,
            "always_phantom": True,
            "bench_seconds": 0.15,
            "speed_margin": 0.5,
            "precision": "fp32",
            "engine": "eager",
            "explain_samples": 3,
            "explain_patches": 6,
            "explain_steps": 2,
            "fixed": True,
            "preset": "",
        },
        "full": {
            "name": "full",
            "protocol": PROTOCOL,
            "recipe": THESIS,
            "baseline": "thesis",
            "phantom_samples": 240,
            "always_phantom": False,
            "bench_seconds": 8.0,
            "speed_margin": 0.25,
            "precision": "auto",
            "engine": "auto",
            "explain_samples": 9,
            "explain_patches": 8,
            "explain_steps": 4,
            "fixed": False,
            "preset": "slice42",
        },
    }


SCRATCH = THESIS | {"weights": "none"}
SMALL, BY_PATIENT = {"image_size": 128}, {"split": "patient-5fold"}
NAMED: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any], str]] = {
    ("slice42", "thesis"): ({}, SCRATCH, "figshare-slice42"),
    ("slice42", "modern"): ({}, MODERN, "figshare-slice42-modern"),
    ("slice42", "large-batch"): (
        {},
        {**MODERN, "name": "large-batch", "batch_size": 64, "learning_rate": 2e-3},
        "figshare-slice42-large-batch",
    ),
    ("cpu128", "thesis"): (SMALL, SCRATCH | {"epochs": 4}, "figshare-cpu128"),
    ("cpu128", "modern"): (SMALL, MODERN | {"epochs": 8}, "figshare-cpu128-modern"),
    ("patient5", "modern"): (BY_PATIENT, MODERN, "figshare-patient5-modern"),
    ("patient5", "thesis"): (BY_PATIENT, SCRATCH, "figshare-patient5"),
}


def test_every_named_pair_is_listed_above() -> None:
    assert {(protocol, recipe) for protocol in PRESETS for recipe in PRESETS[protocol].recipes} == set(NAMED)


@pytest.mark.parametrize(("protocol", "recipe"), NAMED)
def test_a_named_protocol_and_recipe(protocol: str, recipe: str) -> None:
    """With their own baseline; all else stays as the tier has it."""
    changed, trained, baseline = NAMED[protocol, recipe]
    tier = replace(TIERS["full"], bench_seconds=3.0, engine="eager")
    found = apply_preset(tier, protocol, recipe)
    assert asdict(found.protocol) == PROTOCOL | changed
    assert asdict(found.recipe) == trained
    assert found.baseline == baseline
    assert replace(found, protocol=tier.protocol, recipe=tier.recipe, baseline=tier.baseline) == tier


def test_what_is_not_named_is_the_tier_s_protocol_and_the_first_recipe() -> None:
    tier = TIERS["full"]
    assert apply_preset(tier, None, None) == apply_preset(tier, "slice42", "thesis")
    assert apply_preset(tier, "cpu128", None) == apply_preset(tier, "cpu128", "thesis")
    assert apply_preset(tier, None, "modern") == apply_preset(tier, "slice42", "modern")
    assert apply_preset(tier, "patient5", None) == apply_preset(tier, "patient5", "modern")


def test_names_that_nobody_knows() -> None:
    with pytest.raises(UnknownNameError, match="unknown protocol 'slice43'"):
        apply_preset(TIERS["full"], "slice43", None)
    with pytest.raises(UnknownNameError, match=r"protocol cpu128: unknown recipe 'large-batch'(.|\n)*thesis"):
        apply_preset(TIERS["full"], "cpu128", "large-batch")


@pytest.mark.parametrize(("kind", "field"), [(kind, field.name) for kind in RESTATED for field in fields(kind)])
def test_every_field_of_a_recipe_is_part_of_its_identity(kind: type[Recipe], field: str) -> None:
    """What came later is left out at its default, so that what was stored before is still found."""
    plain = kind()
    before = getattr(plain, field)
    number = type(before) in (int, float) or field == "head_epochs"
    change: dict[str, Any] = {field: not before if isinstance(before, bool) else 3 if number else "other"}
    other = replace(plain, **change)
    assert other.identity() == {**plain.identity(), field: getattr(other, field)} != plain.identity()
    assert plain.identity() == {name: value for name, value in RESTATED[kind].items() if name not in LATER}
