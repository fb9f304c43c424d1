"""The losses of the thesis, computed in float32."""

from torch import Tensor
from torch.nn import functional

from btlib.thesis.models.network import ModelOutput

EPSILON = 1e-6


def soft_dice_loss(mask_prob: Tensor, masks: Tensor) -> Tensor:
    """Soft Dice loss: mean over samples and structures of 1 − 2·Σpt / (Σp + Σt + 1e-6); both [n, structures, h, w].

    For an empty true mask it is 1 without a gradient, whatever is predicted: such masks are learnt from the cross
    entropy alone, and the optimum is not changed.
    """
    p, t = (part.float().flatten(0, 1).flatten(1) for part in (mask_prob, masks))
    return (1 - 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1) + EPSILON)).mean()


def segmentation_loss(output: ModelOutput, masks: Tensor) -> Tensor:
    """0.5 · binary cross entropy + 0.5 · soft Dice loss; masks [n, structures, h, w] of 0 and 1."""
    assert output.mask_logits is not None  # the variant has masks
    assert output.mask_prob is not None
    cross_entropy = functional.binary_cross_entropy_with_logits(output.mask_logits.float(), masks.float())
    return 0.5 * cross_entropy + 0.5 * soft_dice_loss(output.mask_prob, masks)


def classification_loss(output: ModelOutput, labels: Tensor) -> Tensor:
    """Cross entropy over the classes; labels int64 [n]."""
    assert output.class_logits is not None  # the variant has classes
    return functional.cross_entropy(output.class_logits.float(), labels)
