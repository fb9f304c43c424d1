"""One training step as in `fit`, but without Lightning, for speed measurements."""

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
    """Return a synchronised optimiser step on a copy of a model, always with the same samples on the device.

    The step is the same as in the plan's training: with the recipe's augmentation, only the head if only the head is
    trained, with the search for the fastest kernels, and in the plan's precision.

    Args:
        plan: The training.
        model: Model of the variant, trained or untrained; it is not changed.
        batch_size: Number of training samples in the step; they are repeated if there are too few.
        device: Device of the computation.
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
