"""What a frozen encoder says of each slice, computed once: the class head learns from that alone."""

import numpy as np
import torch
from numpy.typing import NDArray

from btlib.adapters.devices import Precision, autocast
from btlib.models.heads import pool
from btlib.models.network import TumourModel
from btlib.training.batches import Batch, SliceBatches
from btlib.training.plan import Plan


class FeatureBatches(torch.utils.data.Dataset[Batch]):
    """Batches of pooled features [n, channels] in place of images, without masks.

    A frozen encoder gives a slice the same features in every epoch, so the head that is trained on them is the one that
    would come out of the whole model.

    Args:
        plan: Of a variant whose encoder is frozen, batch norm included.
        model: With the encoder's weights in place.
        device: Where to compute.
        precision: In which to compute.
    """

    def __init__(self, plan: Plan, model: TumourModel, device: torch.device, precision: Precision) -> None:
        at = np.concatenate([plan.split.train, plan.split.val])
        slices, size = SliceBatches(plan.dataset), plan.recipe.batch_size
        model.to(device)
        starts = range(0, len(at), size)
        found = torch.cat([features(model, slices[at[i : i + size]][0].to(device), precision).cpu() for i in starts])
        # test slices have no features: a batch that asked for one would make the loss NaN, which stops the training
        self.features = torch.full((len(plan.dataset), found.shape[1]), torch.nan)
        self.features[torch.from_numpy(at)] = found
        self.labels = torch.from_numpy(np.asarray(plan.dataset.labels, dtype=np.int64))

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Features, no masks, and labels at `at`."""
        positions = torch.from_numpy(at)
        return self.features[positions], torch.empty(len(at), 0), self.labels[positions]


def features(model: TumourModel, images: torch.Tensor, precision: Precision) -> torch.Tensor:
    """What a frozen encoder says of slices.

    Args:
        model: With the encoder; it is left in training mode.
        images: float32 [n, 1, h, w], on the model's device.
        precision: In which to compute.

    Returns:
        float32 [n, channels], on the same device.
    """
    model.eval()
    with torch.inference_mode(), autocast(images.device, precision):
        pooled: torch.Tensor = pool(model.backbone(images.expand(-1, 3, -1, -1))).float()
    model.train()
    return pooled.clone()  # outside of inference mode, lest nothing can be learnt from it
