"""A training whose step is compiled: every step by compiled code, to the same weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from btlib.adapters.torch import torchscript_is_old
from btlib.errors import ModelError
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.training import Plan, fit
from btlib.thesis.training.initial import build
from btlib.thesis.training.step import bare_step

with torchscript_is_old():
    from torch._inductor import compile_fx

Make = Callable[..., Plan]
CPU = torch.device("cpu")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that what was compiled is run with, in inductor's place."""
    found: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: Any, **more: Any) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            found.append(next(len(arg) for arg in args if isinstance(arg, torch.Tensor) and arg.dim() == 4))
            return graph(*args)

        return run

    monkeypatch.setattr(compile_fx, "compile_fx", backend)
    return found


def train(plan: Plan, place: Path) -> dict[str, torch.Tensor]:
    start = build(replace(plan, variant="A")).state_dict() if plan.variant == "C" else None
    return fit(plan, place, CPU, start, report=lambda line: None).model.state_dict()


@pytest.mark.parametrize("variant", [*(pytest.param(variant, marks=pytest.mark.nightly) for variant in "AB"), "G"])
def test_every_step_is_compiled_and_the_weights_are_the_same(
    tmp_path: Path, make_plan: Make, runs: list[int], variant: str
):
    plan = make_plan(variant, epochs=2)
    eager = train(plan, tmp_path / "eager")
    assert not runs
    found = train(replace(plan, recipe=replace(plan.recipe, compiled=True)), tmp_path / "compiled")
    n, size = len(plan.train), plan.recipe.batch_size
    assert runs == [min(size, n - start) for _ in range(2) for start in range(0, n, size)]
    for name, value in eager.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_a_head_that_learns_from_features_has_nothing_to_compile(tmp_path: Path, make_plan: Make, runs: list[int]):
    train(make_plan("C", epochs=1, compiled=True), tmp_path)
    assert not runs


def test_what_cannot_be_compiled_is_told(tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no C++ compiler was found")

    monkeypatch.setattr(compile_fx, "compile_fx", broken)
    with pytest.raises(ModelError, match="variant D: its training step cannot be compiled") as caught:
        train(make_plan("D", compiled=True), tmp_path)
    assert "leave out --bt-compile-training" in str(caught.value)


def test_stored_models_of_before_are_still_found(make_plan: Make):
    assert "compiled" not in ThesisRecipe().identity()
    assert ThesisRecipe(compiled=True).identity()["compiled"] is True
    plan = make_plan()
    assert plan.fingerprint != replace(plan, recipe=replace(plan.recipe, compiled=True)).fingerprint


@pytest.mark.parametrize(
    ("variant", "recipe"), [("D", {}), ("D", {"augment": True}), ("C", {}), ("C", {"augment": True})]
)
def test_the_step_that_is_timed_is_the_step_that_is_trained(
    make_plan: Make, monkeypatch: pytest.MonkeyPatch, variant: str, recipe: dict[str, Any]
):
    """Augmentation, the head of C on features, the search for kernels: each as in the training itself."""
    from btlib.thesis.training import module, step

    plan, seen = make_plan(variant, **recipe), {"augmented": 0, "backbone": 0, "search": set()}
    model = build(replace(plan, recipe=replace(plan.recipe)))
    real = module.augmented

    def augmented(*args: Any) -> Any:
        seen["augmented"] += 1
        return real(*args)

    monkeypatch.setattr(module, "augmented", augmented)
    forward = type(model.backbone).forward

    def counted(self: Any, images: torch.Tensor) -> Any:
        seen["backbone"] += 1
        return forward(self, images)

    monkeypatch.setattr(type(model.backbone), "forward", counted)
    fastest = step.fastest_kernels

    def searching(device: torch.device) -> Any:
        seen["search"].add(device.type)
        return fastest(device)

    monkeypatch.setattr(step, "fastest_kernels", searching)
    timed = bare_step(plan, model, 4, CPU)
    seen["backbone"] = 0
    timed()
    timed()
    head_only = plan.head_only
    assert seen["augmented"] == (2 if plan.recipe.augment and not head_only else 0)
    assert seen["backbone"] == (0 if head_only else 2)
    assert seen["search"] == {"cpu"}
