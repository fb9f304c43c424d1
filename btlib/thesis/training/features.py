"""Features of a frozen encoder, computed once for each sample; only the class head is trained on them."""

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
    """Batches of pooled features [n, channels] instead of images, without masks.

    A frozen encoder gives the same features for a sample in every epoch, so training the head on stored features gives
    the same head as training with the complete model.

    Args:
        features: Features of the samples, float32 [n, channels].
        samples: Samples with the labels.
    """

    def __init__(self, features: torch.Tensor, samples: Samples) -> None:
        self.features = features
        self.labels = torch.from_numpy(np.array(samples.strata, dtype=np.int64))

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Return features, empty masks, and labels at the positions `at`."""
        positions = torch.from_numpy(at)
        return self.features[positions], torch.empty(len(at), 0), self.labels[positions]


def feature_batches(
    plan: Plan, model: TumourModel, device: torch.device, precision: Precision
) -> tuple[FeatureBatches, FeatureBatches]:
    """Compute the features of the training and the validation samples.

    Args:
        plan: Plan of a variant whose encoder is frozen, batch norm included.
        model: Model with the trained encoder.
        device: Device of the computation.
        precision: Precision of the computation.
    """
    images, size = (SampleBatches(plan.train), SampleBatches(plan.val)), plan.recipe.batch_size
    model.to(device)
    n = len(plan.train)
    found = []
    for start in range(0, n + len(plan.val), size):  # one batch may contain both training and validation samples
        at = np.arange(start, min(start + size, n + len(plan.val)))
        parts = [images[0][at[at < n]][0], images[1][at[at >= n] - n][0]]
        found.append(features(model, torch.cat(parts).to(device), precision).cpu())
    whole = torch.cat(found)
    return FeatureBatches(whole[:n], plan.train), FeatureBatches(whole[n:], plan.val)


def features(model: TumourModel, images: torch.Tensor, precision: Precision) -> torch.Tensor:
    """Compute the pooled features of images.

    Args:
        model: Model with the encoder; it is in training mode afterwards.
        images: float32 [n, channels, h, w], on the model's device.
        precision: Precision of the computation.

    Returns:
        float32 [n, channels], on the same device.
    """
    model.eval()
    with torch.inference_mode(), autocast(images.device, precision):
        pooled: torch.Tensor = pool(model.encode(images)).float()
    model.train()
    return pooled.clone()  # a copy outside inference mode, so that a head can be trained on it
