"""Lightning module: losses, optimiser, and validation scores by the formulas of `btlib.metrics`."""

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from btlib import metrics
from btlib.adapters.compiling import compiled, compiler_errors
from btlib.adapters.devices import seed_rng
from btlib.errors import ModelError
from btlib.thesis.models import losses
from btlib.thesis.models.network import ModelOutput, TumourModel
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.training.augment import augmented
from btlib.thesis.training.batches import Batch
from btlib.thesis.training.plan import Plan

LOOK_EVERY = 50
"""Number of steps between two checks of the losses."""


class Trainee(pl.LightningModule):
    """A variant in training.

    Args:
        model: Model of the variant.
        recipe: Training recipe: weights of the losses, learning rate, schedule.
        seed: Seed of dropout and augmentation, combined with the epoch.
        threshold: Mask threshold for the validation Dice.
        head_only: Whether batches contain pooled features instead of images, and only the class head is run.
        compile_step: Whether the forward pass and the loss are compiled.
    """

    def __init__(
        self,
        model: TumourModel,
        recipe: ThesisRecipe,
        seed: int,
        threshold: float,
        *,
        head_only: bool = False,
        compile_step: bool = False,
    ) -> None:
        super().__init__()
        self.head_only = head_only
        self.model = model
        self.recipe = recipe
        self.seed = seed
        self.threshold = threshold
        self._loss_of = self._compiled() if compile_step else self._eager
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []

    @classmethod
    def of(cls, plan: Plan, model: TumourModel) -> Self:
        """Create the module for a plan."""
        return cls(
            model,
            plan.recipe,
            plan.seed,
            plan.protocol.threshold,
            head_only=plan.head_only,
            compile_step=plan.compiled,
        )

    def configure_optimizers(self) -> Any:
        """Return Adam; with the schedule "cosine": one warm-up epoch, then a decrease to zero."""
        optimizer = adam(self.model, self.recipe)
        if self.recipe.schedule == "constant":
            return optimizer
        total = int(self.trainer.estimated_stepping_batches)
        warm_up = max(1, total // int(self.trainer.max_epochs or 1))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, warm_up, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout and augmentation by epoch, so that a resumed run gives the same result as an uninterrupted one.

        This is done at the first batch, because Lightning skips the hook of the epoch's start when resuming.
        """
        if batch_idx == 0:
            self._losses, self._sizes = [], []
            seed_rng(self.seed * 100_003 + self.current_epoch, batch[0].device)
            self._rng = torch.Generator(batch[0].device).manual_seed(self.seed * 100_003 + self.current_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Compute the loss of one batch.

        Raises:
            ModelError: A loss since the last check was not finite, or the step cannot be compiled.
        """
        if self.recipe.augment and not self.head_only:
            batch = (*augmented(batch[0], batch[1], self._rng), batch[2])
        try:
            loss: Tensor = self._loss_of(*batch)
        except compiler_errors() as error:
            raise ModelError(
                f"its training step cannot be compiled: {type(error).__name__}: {error}",
                where=f"variant {self.model.variant.name}",
                hint="leave out --bt-compile-training",
            ) from error
        self._losses.append(loss.detach())
        self._sizes.append(len(batch[0]))
        if len(self._losses) % LOOK_EVERY == 0:
            self._look()
        return loss

    def mean_loss(self) -> float:
        """Return the mean loss over the samples of the epoch so far.

        Raises:
            ModelError: A loss since the last check was not finite.
        """
        self._look()
        return float(np.average(torch.stack(self._losses).double().cpu().numpy(), weights=self._sizes))

    def _look(self) -> None:
        """Check many losses at once; checking each one would synchronise with the device after every step."""
        finite = torch.isfinite(torch.stack(self._losses)).cpu()
        if finite.all():
            return
        first = int((~finite).nonzero()[0])
        raise ModelError(
            f"the loss became {self._losses[first].item()} in epoch {self.current_epoch + 1}, batch {first + 1}",
            where=f"variant {self.model.variant.name}",
            hint="lower the learning rate, or train with --bt-precision fp32",
        )

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log loss, Dice and accuracy of a validation batch."""
        images, masks, labels = batch
        output = self.output(images)
        n = len(images)
        self.log("val_loss", self.loss(output, batch), batch_size=n)
        if output.mask_prob is not None:
            pred, truth = (output.mask_prob > self.threshold).cpu().numpy(), masks.bool().cpu().numpy()
            dice = metrics.dice_from_counts(*metrics.counts(pred, truth))
            self.log("val_dice", float(dice.mean()), batch_size=n, prog_bar=True)
        if output.class_logits is not None:
            accuracy = (output.class_logits.argmax(1) == labels).float().mean()
            self.log("val_accuracy", accuracy, batch_size=n, prog_bar=True)

    def output(self, inputs: Tensor) -> ModelOutput:
        """Run the model on images, or its class head on features."""
        if not self.head_only:
            output: ModelOutput = self.model(inputs)
            return output
        assert self.model.head is not None  # a variant with `head_only` has a class head
        return ModelOutput(None, None, self.model.head(inputs)[1])

    def _eager(self, images: Tensor, masks: Tensor, labels: Tensor) -> Tensor:
        return self.loss(self.output(images), (images, masks, labels))

    def _compiled(self) -> Callable[..., Tensor]:
        """Return the loss function, compiled to one graph for each batch size."""
        return compiled(lambda *batch: self._eager(*batch), dynamic=False)

    def loss(self, output: ModelOutput, batch: Batch) -> Tensor:
        """Return the variant's loss: a single loss unweighted, two losses with the recipe's weights."""
        parts = {}
        if "seg" in self.model.variant.losses:
            parts["seg"] = losses.segmentation_loss(output, batch[1])
        if "cls" in self.model.variant.losses:
            parts["cls"] = losses.classification_loss(output, batch[2])
        if len(parts) == 1:
            return next(iter(parts.values()))
        return self.recipe.seg_weight * parts["seg"] + self.recipe.cls_weight * parts["cls"]


def adam(model: TumourModel, recipe: ThesisRecipe) -> torch.optim.Adam:
    """Return Adam for the parameters that are not frozen; fused on CPU and CUDA."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return torch.optim.Adam(parameters, lr=recipe.learning_rate, fused=fused)


def cosine(step: int, warm_up: int, total: int) -> float:
    """Return the factor of the learning rate: linear to 1 over `warm_up` steps, then half a cosine to 0 at `total`."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, total - warm_up))))
