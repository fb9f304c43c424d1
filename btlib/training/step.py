"""The bare step of a training, without Lightning around it: what a figure of speed is of."""

import copy
from collections.abc import Callable

import torch

from btlib.adapters.devices import Precision, autocast, synchronize
from btlib.models.network import TumourModel
from btlib.protocol import Recipe
from btlib.training.batches import Batch
from btlib.training.module import Trainee, adam


def bare_step(
    model: TumourModel, recipe: Recipe, batch: Batch, device: torch.device, precision: Precision
) -> Callable[[], None]:
    """One optimiser step on a copy of a model, as `fit` makes it, always on the same slices; synchronised.

    Args:
        model: The variant; it stays as it is.
        recipe: Losses' weights and learning rate.
        batch: The slices.
        device: Where to work.
        precision: In which to compute.
    """
    images, masks, labels = (part.to(device) for part in batch)
    trainee = Trainee(copy.deepcopy(model).to(device), recipe, seed=0, threshold=0.5).train()
    trainee.model.to(memory_format=torch.channels_last)
    optimizer = adam(trainee.model, recipe)

    def step() -> None:
        with autocast(device, precision):
            loss = trainee.loss(trainee.output(images), (images, masks, labels))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        synchronize(device)

    return step
