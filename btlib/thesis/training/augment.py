"""Random augmentation of training images that does not change the class, computed on the images' device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

TURN = math.pi / 6
ZOOM = (0.75, 1.3)
SHIFT = 0.1  # share of half the image
GAMMA = (0.7, 1.5)
NOISE = 0.05  # largest standard deviation, as a share of the image's brightest pixel


def augmented(images: Tensor, masks: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror, rotate (±30°), zoom (0.75…1.3), shift, change gamma and add noise, each image independently.

    Args:
        images: float32 [n, channels, h, w], in any scale; all channels of an image are changed alike.
        masks: float32 [n, structures, h, w] of 0 and 1; there may be no structures.
        rng: Generator on the device of the images.

    Returns:
        Images and masks of the same shapes; masks still contain only 0 and 1. Pixels from outside the image are 0.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(len(images), device=images.device, generator=rng)

    height, width = images.shape[-2:]
    angle, zoom = uniform(-TURN, TURN), 1 / uniform(*ZOOM)
    flip_x, flip_y = uniform(-1, 1).sign(), uniform(-1, 1).sign()
    shift_x, shift_y = uniform(-SHIFT, SHIFT), uniform(-SHIFT, SHIFT)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    # grid_sample scales each axis to -1 … 1, so a rotation in pixels needs the ratio of the sides
    across = torch.stack([cos * flip_x, -sin * flip_y * height / width, shift_x], dim=1)
    down = torch.stack([sin * flip_x * width / height, cos * flip_y, shift_y], dim=1)
    grid = functional.affine_grid(torch.stack([across, down], dim=1), list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, align_corners=False)
    if masks.shape[1]:  # PyTorch refuses to sample no channels
        masks = functional.grid_sample(masks, grid, mode="nearest", align_corners=False)
    peak = images.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
    bright = (images.clamp(min=0) / peak) ** uniform(*GAMMA)[:, None, None, None]
    noise = torch.randn(images.shape, device=images.device, generator=rng) * uniform(0, NOISE)[:, None, None, None]
    return peak * (bright + noise), masks
