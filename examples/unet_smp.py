"""A U-Net with a class head (segmentation_models_pytorch), from scratch: the reference that should beat A–G.

    pip install 'btlib[smp]'
    btlib check examples/unet_smp.py::unet
    pytest benchmarks -m smoke --bt-case examples/unet_smp.py::unet
    pytest benchmarks -m full --bt-recipe modern --bt-case examples/unet_smp.py::unet
    pytest benchmarks -m full --bt-recipe modern --bt-case examples/unet_smp.py::unet-staged
    pytest benchmarks -m full --bt-recipe modern --bt-case examples/unet_smp.py::unet-tuned

The second case is the same net trained in two stages: most epochs see the slices at half their size, which is cheaper,
and the last ones as they are, only mirrored (progressive resizing, arXiv:2104.00298; no augmentation in the last
epochs, arXiv:2107.08430). The third takes the second's net through more of these last epochs, in cycles that each begin
with a high learning rate again (arXiv:1608.03983), and is the mean of the last cycles' nets (snapshot ensemble,
arXiv:1704.00109), of as many as do best on the validation slices. docs/results.md has what each scores.

Epochs, learning rate, augmentation and threshold are the recipe's. Its own are the optimiser (AdamW), label smoothing,
a cosine schedule, and averaged weights (EMA) in place of the best epoch. In smoke the net is a small one.
"""

import copy
import inspect
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from segmentation_models_pytorch import Unet
from torch import Tensor, nn
from torch.nn import functional

from btlib.adapters import Outputs, Progress, TorchPredictor
from btlib.adapters.torch import (
    autocast,
    fastest_kernels,
    forked_rng,
    resolve_device,
    resolve_precision,
    seed_rng,
)
from btlib.cases import FittedModel, Prepared, Work, case, fit_or_load
from btlib.evaluation import best_threshold, curve_of
from btlib.fingerprint import of_sources
from btlib.thesis.training.augment import augmented

CLASS_WEIGHT, SMOOTHING, WEIGHT_DECAY, EMA = 0.5, 0.05, 1e-2, 0.999
HALF_SIZE = 0.75  # of the staged case's epochs
CYCLES = (1 / 6, 1 / 6, 1 / 6, 1 / 4)  # of the tuned case; the length of each, as a share of the recipe's epochs
TOGETHER = 3  # of these cycles' nets, at most
AUGMENTATION = of_sources([Path(inspect.getfile(augmented))])  # which stands in another file


class UnetWithClasses(nn.Module):
    """Images [n, 1, h, w] → mask logits [n, 1, h, w] and class logits [n, 3]."""

    def __init__(self, small: bool) -> None:
        super().__init__()
        encoder, widths = ("resnet18", (64, 32, 16, 16, 8)) if small else ("resnet34", (256, 128, 64, 32, 16))
        self.unet = Unet(encoder, encoder_weights=None, in_channels=1, classes=1, decoder_channels=widths)
        self.head = nn.Linear(self.unet.encoder.out_channels[-1] + widths[-1], 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The class head sees the pooled bottleneck, and the decoder's features where the mask is."""
        height, width = images.shape[-2:]
        spread, mean = torch.std_mean(images, dim=(1, 2, 3), keepdim=True)
        padded = functional.pad((images - mean) / (spread + 1e-6), (0, -width % 32, 0, -height % 32))
        features = self.unet.encoder(padded)
        decoded = self.unet.decoder(features)
        mask = self.unet.segmentation_head(decoded).float()
        weights = mask.sigmoid()
        inside = (weights * decoded).sum(dim=(2, 3)) / (weights.sum(dim=(2, 3)) + 1e-6)
        classes = self.head(torch.cat([features[-1].mean(dim=(2, 3)), inside], dim=1))
        return mask[..., :height, :width], classes.float()


class MeanOfFlips(nn.Module):
    """Images [n, 1, h, w] → probabilities, averaged over the nets, and over an image and its three mirror images."""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mask probabilities [n, 1, h, w] and class probabilities [n, 3]."""
        flips = ([], [2], [3], [2, 3])
        said = [(net(images.flip(dims)), dims) for net in self.nets for dims in flips]
        masks = torch.stack([mask.sigmoid().flip(dims) for (mask, _), dims in said])
        classes = torch.stack([logits.softmax(dim=1) for (_, logits), _ in said])
        return masks.mean(dim=0), classes.mean(dim=0)


def loss_of(said: tuple[Tensor, Tensor], masks: Tensor, labels: Tensor) -> Tensor:
    """Soft Dice by slice (pooled over the batch, small tumours would not count), cross-entropy of pixels and types."""
    logits, classes = said
    share = logits.sigmoid()
    overlap, area = (share * masks).sum(dim=(1, 2, 3)), (share + masks).sum(dim=(1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (area + 1)
    pixels = functional.binary_cross_entropy_with_logits(logits, masks)
    types = functional.cross_entropy(classes, labels, label_smoothing=SMOOTHING)
    return dice.mean() + pixels + CLASS_WEIGHT * types


def factor(step: int, steps: int) -> float:
    """Of the learning rate: up over the first 1/24 of the steps, then half a cosine down."""
    warm_up = max(1, steps // 24)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, step: int) -> None:
    """Move the running average of the weights; quickly at first, so that it forgets the initial ones."""
    decay = min(EMA, (1 + step) / (10 + step))
    for mean, value in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def halved(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Both at half their height and width; of a mask's pixel, the share that is tumour."""
    return functional.avg_pool2d(images, 2), functional.avg_pool2d(masks, 2)


def mirrored(images: Tensor, masks: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The whole batch as one of the four mirror images over which `MeanOfFlips` averages."""
    dims = [dim for dim in (2, 3) if torch.rand((), device=images.device, generator=rng) < 0.5]
    return images.flip(dims), masks.flip(dims)


def fit(
    work: Work,
    folder: Path,
    epochs: int,
    halves: int = 0,
    augmentations: int = 0,
    start: nn.Module | None = None,
    cycle: int = 0,
) -> nn.Module:
    """Train on the training slices, on from the state in `folder`; the last epoch's averaged weights are the net.

    The first `halves` epochs see slices of half the size, and the first `augmentations` augmented ones; the others, if
    the recipe augments, mirrored ones. It begins with random weights or with those of `start`, and sees the slices in
    another order in another `cycle`.
    """
    device, recipe, small = resolve_device(work.device), work.recipe, work.recipe.quick
    precision = resolve_precision(work.precision, device)
    images, masks, labels = (
        torch.tensor(np.asarray(part), device=device)
        for part in (work.train.images, work.train.masks, work.train.labels)
    )
    size = recipe.batch_size
    batches = max(1, len(images) // size)  # a short one at the end is left out: batch norm wants company
    seed = work.seed + 1000 * cycle
    rng, order = torch.Generator(device).manual_seed(seed), torch.Generator().manual_seed(seed)
    with forked_rng(device):
        seed_rng(work.seed, device)
        model = copy.deepcopy(start) if start else UnetWithClasses(small)
    model = model.train().to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(model)
    fused = device.type in ("cpu", "cuda")
    optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=WEIGHT_DECAY, fused=fused)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, epochs * batches))
    progress = Progress(
        folder / f"last-{cycle + 1}.pt",
        model=model,
        average=average,
        optimizer=optimizer,
        schedule=schedule,
        rng=rng,
        order=order,
    )
    with fastest_kernels(device):
        for epoch in range(progress.load(), epochs):
            for index, chosen in enumerate(torch.randperm(len(images), generator=order).split(size)[:batches]):
                chosen = chosen.to(device)
                batch, truth = images[chosen], masks[chosen].float()
                if recipe.augment:
                    batch, truth = (augmented if epoch < augmentations else mirrored)(batch, truth, rng)
                if epoch < halves:
                    batch, truth = halved(batch, truth)
                with autocast(device, precision):
                    said = model(batch)
                loss = loss_of(said, truth, labels[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                follow(average, model, epoch * batches + index)
            progress.keep(epoch + 1)
            where = f"cycle {cycle + 1}, " if start else ""
            work.report(f"U-Net, seed {work.seed}: {where}epoch {epoch + 1} of {epochs}, loss {loss.item():.4f}")
    return average.eval()


def load(folder: Path, small: bool) -> list[nn.Module]:
    """The nets that were saved there."""
    nets: list[nn.Module] = []
    for state in torch.load(folder / "nets.pt", map_location="cpu", weights_only=True):
        nets.append(UnetWithClasses(small))
        nets[-1].load_state_dict(state)
    return [net.eval() for net in nets]


def fitted(work: Work, name: str, train: Callable[[Path], list[nn.Module]]) -> FittedModel[list[nn.Module]]:
    """The nets: loaded where they were trained on the same before, else trained."""
    return fit_or_load(
        work,
        name,
        train,
        save=lambda nets, folder: torch.save([net.state_dict() for net in nets], folder / "nets.pt"),
        load=lambda folder: load(folder, work.recipe.quick),
        depends_on=AUGMENTATION,
    )


def mean_of(nets: list[nn.Module], work: Work) -> TorchPredictor:
    """The nets, averaged over mirror images."""
    outputs = Outputs(mask=0, classes=1, mask_kind="probabilities", class_kind="probabilities")
    return TorchPredictor(MeanOfFlips(nets), work.device, work.precision, outputs)


def prepared(work: Work, found: FittedModel[list[nn.Module]], name: str) -> Prepared:
    """What the case returns: the nets' mean, with the recipe's threshold."""
    predictor = mean_of(found.model, work)
    chosen = work.recipe.threshold == "validation"
    details = {
        "device": str(predictor.device),
        "precision": predictor.precision,
        "parameters": sum(p.numel() for net in found.model for p in net.parameters()),
    }
    return found.prepared(
        predictor,
        details=details,
        threshold=best_threshold(predictor, work.val, where=name) if chosen else None,
    )


def in_stages(work: Work) -> FittedModel[list[nn.Module]]:
    """Most epochs on slices of half that size, augmented, and the others not."""
    epochs = work.recipe.epochs
    halves = round(HALF_SIZE * epochs)
    return fitted(work, "unet-staged", lambda folder: [fit(work, folder, epochs, halves, augmentations=halves)])


def in_cycles(work: Work, folder: Path) -> list[nn.Module]:
    """The staged net, trained or loaded, taken through the cycles: of their nets, the last that do best together."""
    nets = [*in_stages(work).model]
    for cycle, share in enumerate(CYCLES):
        epochs = max(1, round(share * work.recipe.epochs))
        nets.append(fit(work, folder, epochs, start=nets[-1], cycle=cycle))

    def dice(some: list[nn.Module]) -> float:
        return max(curve_of(mean_of(some, work), work.val, where="unet-tuned").dice)

    return max((nets[-count:] for count in range(1, TOGETHER + 1)), key=dice)


@case("unet", "U-Net, ResNet-34 encoder, class head", has_mask=True, has_classes=True, scaling="percentile")
def unet(work: Work) -> Prepared:
    """All epochs on slices of the protocol's size, augmented."""
    epochs = work.recipe.epochs
    found = fitted(work, "unet", lambda folder: [fit(work, folder, epochs, augmentations=epochs)])
    return prepared(work, found, "unet")


@case("unet-staged", "U-Net, first at half size", has_mask=True, has_classes=True, scaling="percentile")
def unet_staged(work: Work) -> Prepared:
    """Trained in two stages."""
    return prepared(work, in_stages(work), "unet-staged")


@case("unet-tuned", "U-Net, first at half size, then tuned", has_mask=True, has_classes=True, scaling="percentile")
def unet_tuned(work: Work) -> Prepared:
    """Trained in two stages and some cycles, and the mean of the last cycles' nets."""
    return prepared(work, fitted(work, "unet-tuned", lambda folder: in_cycles(work, folder)), "unet-tuned")
