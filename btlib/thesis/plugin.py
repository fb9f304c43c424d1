"""Hooks of the thesis plug-in: its options and their effect on a run."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from btlib.errors import OptionError
from btlib.hooks import hookimpl
from btlib.options import Declared, PluginOption, RunOptions, written

if TYPE_CHECKING:
    from btlib.protocol import Tier
    from btlib.runs.plan import RunPlan

WEIGHTS = ("auto", "coco", "imagenet", "none")
BATCH_NORMS = ("drifting", "frozen")
_CHECKPOINTS = "A-G: load the thesis's .ckpt files from this folder instead of training"


@hookimpl
def btlib_options() -> list[PluginOption]:
    """Options for pretrained weights, C's batch norm, a compiled training step, and the thesis's checkpoints."""
    weights = Declared("A-G: pretrained weights; auto: COCO if available, else none", choices=WEIGHTS)
    batch_norm = Declared("C: batch norm of the frozen encoder; drifting: as in the thesis", choices=BATCH_NORMS)
    return [
        PluginOption("weights", weights),
        PluginOption("batch-norm", batch_norm),
        PluginOption("compile-training", Declared("A-G: compile the training step (torch.compile)", "flag"), False),
        PluginOption("thesis-checkpoints", Declared(_CHECKPOINTS, "folder", "DIR")),
    ]


@hookimpl
def btlib_adjust_tier(options: RunOptions, given: Mapping[str, Any]) -> "Callable[[Tier], Tier]":
    """Return a function that applies the user's options to the thesis's recipe."""
    changes: dict[str, Any] = {"weights": given["weights"]} if "weights" in given else {}
    changes |= {"drifting_batch_norm": given["batch_norm"] == "drifting"} if "batch_norm" in given else {}
    changes |= {"compiled": True} if given.get("compile_training") else {}
    changes |= {"head_epochs": None} if options.epochs is not None else {}

    def adjust(tier: "Tier") -> "Tier":
        from btlib.thesis.recipe import thesis_recipe

        return replace(tier, recipe=replace(thesis_recipe(tier.recipe), **changes)) if changes else tier

    return adjust


@hookimpl
def btlib_check_plan(plan: "RunPlan") -> None:
    """Refuse options that contradict the thesis's checkpoints: retraining, other settings, several seeds."""
    options = plan.options
    if options.plugins.get("thesis_checkpoints") is None:
        return
    asked = {
        "retrain": options.retrain,
        "recipe": options.recipe is not None,
        "batch_norm": options.plugins.get("batch_norm") is not None,
        "seeds": options.stages[-1] > 1,
    }
    for name in (name for name, given in asked.items() if given):
        raise OptionError(
            "the thesis's checkpoints are one training each, with the thesis's recipe, and are not trained again",
            where=f"{written(name)} with --bt-thesis-checkpoints",
            hint="leave out one of the two options",
        )
