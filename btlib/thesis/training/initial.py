"""The initial model of a training."""

from collections.abc import Mapping

import torch
from torch import Tensor

from btlib.adapters.devices import forked_rng, seed_rng
from btlib.thesis.models import create
from btlib.thesis.models.network import TumourModel
from btlib.thesis.training.plan import Plan


def build(plan: Plan, start: Mapping[str, Tensor] | None = None) -> TumourModel:
    """Build the plan's untrained model, initialised by the plan's seed.

    Args:
        plan: The training.
        start: Tensors of another variant, whose encoder and decoder are copied (for C: those of A).
    """
    with forked_rng(torch.device("cpu")):
        seed_rng(plan.seed, torch.device("cpu"))
        model = create(
            plan.variant,
            None if start is not None else plan.recipe.weights,
            backbone=plan.recipe.backbone,
            drifting_batch_norm=plan.recipe.drifting_batch_norm,
            task=plan.train.task,
        )
    if start is not None:
        own = model.state_dict()
        model.load_state_dict(own | {k: v for k, v in start.items() if k.startswith(("backbone.", "decoder."))})
    return model
