"""What a frozen encoder says of each sample, computed once: the class head learns from that alone."""

import numpy as np
import torch
from numpy.typing import NDArray

from btlib.adapters.devices import Precision, autocast
from btlib.data.dataset import Samples
from btlib.thesis.models.heads import pool
from btlib.thesis.models.network import TumourModel
from btlib.thesis.training.batches import Batch, Batches, SampleBatches
from btlib.thesis.training.plan import Plan


class FeatureBatches(Batches):
    """Batches of pooled features [n, channels] in place of images, without masks.

    A frozen encoder gives a sample the same features in every epoch, so the head that is trained on them is the one
    that would come out of the whole model.

    Args:
        features: Of the samples, float32 [n, channels].
        samples: Whose labels are learned.
    """

    def __init__(self, features: torch.Tensor, samples: Samples) -> None:
        self.features = features
        self.labels = torch.from_numpy(np.array(samples.strata, dtype=np.int64))

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Features, no masks, and labels at `at`."""
        positions = torch.from_numpy(at)
        return self.features[positions], torch.empty(len(at), 0), self.labels[positions]


def feature_batches(
    plan: Plan, model: TumourModel, device: torch.device, precision: Precision
) -> tuple[FeatureBatches, FeatureBatches]:
    """Of the training and the validation samples, computed once.

    Args:
        plan: Of a variant whose encoder is frozen, batch norm included.
        model: With the encoder's weights in place.
        device: Where to compute.
        precision: In which to compute.
    """
    images, size = (SampleBatches(plan.train), SampleBatches(plan.val)), plan.recipe.batch_size
    model.to(device)
    n = len(plan.train)
    found = []
    for start in range(0, n + len(plan.val), size):  # one batch may hold the last training samples and more
        at = np.arange(start, min(start + size, n + len(plan.val)))
        parts = [images[0][at[at < n]][0], images[1][at[at >= n] - n][0]]
        found.append(features(model, torch.cat(parts).to(device), precision).cpu())
    whole = torch.cat(found)
    return FeatureBatches(whole[:n], plan.train), FeatureBatches(whole[n:], plan.val)


def features(model: TumourModel, images: torch.Tensor, precision: Precision) -> torch.Tensor:
    """What a frozen encoder says of images.

    Args:
        model: With the encoder; it is left in training mode.
        images: float32 [n, 1 or 3, h, w], on the model's device.
        precision: In which to compute.

    Returns:
        float32 [n, channels], on the same device.
    """
    model.eval()
    with torch.inference_mode(), autocast(images.device, precision):
        pooled: torch.Tensor = pool(model.backbone(images.expand(-1, 3, -1, -1))).float()
    model.train()
    return pooled.clone()  # outside of inference mode, lest nothing can be learnt from it
