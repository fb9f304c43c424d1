"""One step of a training as `fit` makes it, without Lightning around it: what a figure of speed is of."""

import copy
from collections.abc import Callable

import numpy as np
import torch

from btlib.adapters.devices import (
    autocast,
    computing_in,
    fastest_kernels,
    forked_rng,
    resolve_precision,
    synchronize,
)
from btlib.thesis.models.network import TumourModel
from btlib.thesis.training.batches import SampleBatches
from btlib.thesis.training.features import features
from btlib.thesis.training.module import Trainee, adam
from btlib.thesis.training.plan import Plan


def bare_step(plan: Plan, model: TumourModel, batch_size: int, device: torch.device) -> Callable[[], None]:
    """One optimiser step on a copy of a model, always on the same samples, which lie on the device; synchronised.

    It does what a step of the plan's training does: augmentation where the recipe has it, the head alone where only
    that is trained, the search for the fastest kernels, the precision.

    Args:
        plan: What would be trained.
        model: The variant, trained or not; it stays as it is.
        batch_size: Samples in the step: training samples, repeated where they are few.
        device: Where to work.
    """
    precision = resolve_precision(plan.precision, device)
    own = copy.deepcopy(model).to(device)
    at = np.resize(np.arange(len(plan.train)), batch_size)
    images, masks, labels = (part.to(device) for part in SampleBatches(plan.train)[at])
    if plan.head_only:
        images = features(own, images, precision)
    trainee = Trainee.of(plan, own).train()
    own.to(memory_format=torch.channels_last)
    optimizer = adam(own, plan.recipe)
    batch = (images, masks, labels)
    with forked_rng(device):
        trainee.on_train_batch_start(batch, 0)

    def step() -> None:
        with fastest_kernels(device), computing_in(precision):
            optimizer.zero_grad()
            with autocast(device, precision):
                loss = trainee.training_step(batch, 0)
            torch.autograd.backward(loss)
            optimizer.step()
            synchronize(device)

    return step
