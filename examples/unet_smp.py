"""A U-Net with a class head (segmentation_models_pytorch), trained from scratch, as a stronger reference than A–G.

    pip install 'btlib[smp]'
    btlib check examples/unet_smp.py::unet
    pytest benchmarks -m smoke --bt-case examples/unet_smp.py::unet
    pytest benchmarks -m full --bt-recipe modern --bt-case examples/unet_smp.py::unet
    pytest benchmarks -m full --bt-recipe modern --bt-case examples/unet_smp.py::unet-staged
    pytest benchmarks -m full --bt-recipe modern --bt-case examples/unet_smp.py::unet-tuned

The case `unet-staged` trains the same net in two stages: most epochs use samples of half the size, which is faster, and
the last epochs use the full size with mirroring only (progressive resizing, arXiv:2104.00298; no augmentation in the
last epochs, arXiv:2107.08430). The case `unet-tuned` continues the training of this net in cycles, each of which starts
with a high learning rate again (arXiv:1608.03983). Its prediction is the mean of the nets of the last cycles (snapshot
ensemble, arXiv:1704.00109); their number is chosen by Dice on the validation samples. Results: docs/results.md.

Epochs, learning rate, augmentation and threshold come from the recipe. The case defines the optimiser (AdamW), label
smoothing, a cosine schedule, and averaged weights (EMA) instead of the best epoch. In smoke the net is small.
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
HALF_SIZE = 0.75  # share of the epochs of the staged case
CYCLES = (1 / 6, 1 / 6, 1 / 6, 1 / 4)  # tuned case: length of each cycle, as a share of the recipe's epochs
TOGETHER = 3  # largest number of nets in the ensemble
AUGMENTATION = of_sources([Path(inspect.getfile(augmented))])  # the code is in another file


class UnetWithClasses(nn.Module):
    """U-Net with a class head: images [n, 1, h, w] → mask logits [n, 1, h, w] and class logits [n, 3]."""

    def __init__(self, small: bool) -> None:
        super().__init__()
        encoder, widths = ("resnet18", (64, 32, 16, 16, 8)) if small else ("resnet34", (256, 128, 64, 32, 16))
        self.unet = Unet(encoder, encoder_weights=None, in_channels=1, classes=1, decoder_channels=widths)
        self.head = nn.Linear(self.unet.encoder.out_channels[-1] + widths[-1], 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute both outputs; the class head gets the pooled bottleneck, and mask-weighted decoder features."""
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
    """Ensemble: images [n, 1, h, w] → probabilities, averaged over the nets and the four mirror images."""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mask probabilities [n, 1, h, w] and class probabilities [n, 3]."""
        flips = ([], [2], [3], [2, 3])
        outputs = [(net(images.flip(dims)), dims) for net in self.nets for dims in flips]
        masks = torch.stack([mask.sigmoid().flip(dims) for (mask, _), dims in outputs])
        classes = torch.stack([logits.softmax(dim=1) for (_, logits), _ in outputs])
        return masks.mean(dim=0), classes.mean(dim=0)


def loss_of(output: tuple[Tensor, Tensor], masks: Tensor, labels: Tensor) -> Tensor:
    """Compute the loss: soft Dice by sample (so that small tumours count), cross-entropy of pixels and of classes."""
    logits, classes = output
    share = logits.sigmoid()
    overlap, area = (share * masks).sum(dim=(1, 2, 3)), (share + masks).sum(dim=(1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (area + 1)
    pixels = functional.binary_cross_entropy_with_logits(logits, masks)
    types = functional.cross_entropy(classes, labels, label_smoothing=SMOOTHING)
    return dice.mean() + pixels + CLASS_WEIGHT * types


def factor(step: int, steps: int) -> float:
    """Return the factor of the learning rate: linear increase over 1/24 of the steps, then half a cosine to 0."""
    warm_up = max(1, steps // 24)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, step: int) -> None:
    """Update the running average of the weights; faster at first, so that the initial weights lose their influence."""
    decay = min(EMA, (1 + step) / (10 + step))
    for mean, value in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def halved(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return images and masks at half their height and width; mask pixels become the share of tumour."""
    return functional.avg_pool2d(images, 2), functional.avg_pool2d(masks, 2)


def mirrored(images: Tensor, masks: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the batch as one of the four mirror images over which `MeanOfFlips` averages, chosen at random."""
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
    """Train on the training samples, or resume from the state in `folder`; return the net with averaged weights.

    The first `halves` epochs use samples of half the size. If the recipe augments, the first `augmentations` epochs use
    augmented samples and the others mirrored ones. The initial weights are random, or those of `start`. The order of
    the samples depends on the seed and on `cycle`.
    """
    device, recipe, small = resolve_device(work.device), work.recipe, work.recipe.quick
    precision = resolve_precision(work.precision, device)
    images, masks, labels = (
        torch.tensor(np.asarray(part), device=device)
        for part in (work.train.images, work.train.masks, work.train.labels)
    )
    size = recipe.batch_size
    batches = max(1, len(images) // size)  # a shorter last batch is left out, because of batch norm
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
                    output = model(batch)
                loss = loss_of(output, truth, labels[chosen])
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
    """Load the stored nets."""
    nets: list[nn.Module] = []
    for state in torch.load(folder / "nets.pt", map_location="cpu", weights_only=True):
        nets.append(UnetWithClasses(small))
        nets[-1].load_state_dict(state)
    return [net.eval() for net in nets]


def fitted(work: Work, name: str, train: Callable[[Path], list[nn.Module]]) -> FittedModel[list[nn.Module]]:
    """Train the nets, or load them if they were already trained on the same data with the same settings."""
    return fit_or_load(
        work,
        name,
        train,
        save=lambda nets, folder: torch.save([net.state_dict() for net in nets], folder / "nets.pt"),
        load=lambda folder: load(folder, work.recipe.quick),
        depends_on=AUGMENTATION,
    )


def mean_of(nets: list[nn.Module], work: Work) -> TorchPredictor:
    """Return a predictor that averages over the nets and mirror images."""
    outputs = Outputs(mask=0, classes=1, mask_kind="probabilities", class_kind="probabilities")
    return TorchPredictor(MeanOfFlips(nets), work.device, work.precision, outputs)


def prepared(work: Work, found: FittedModel[list[nn.Module]], name: str) -> Prepared:
    """Return the prepared case: the mean of the nets, with the threshold that the recipe requires."""
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
    """Train or load the staged net: most epochs with augmented samples of half the size, the others at full size."""
    epochs = work.recipe.epochs
    halves = round(HALF_SIZE * epochs)
    return fitted(work, "unet-staged", lambda folder: [fit(work, folder, epochs, halves, augmentations=halves)])


def in_cycles(work: Work, folder: Path) -> list[nn.Module]:
    """Train the staged net in cycles; return the last nets whose mean has the highest Dice on validation samples."""
    nets = [*in_stages(work).model]
    for cycle, share in enumerate(CYCLES):
        epochs = max(1, round(share * work.recipe.epochs))
        nets.append(fit(work, folder, epochs, start=nets[-1], cycle=cycle))

    def dice(some: list[nn.Module]) -> float:
        return max(curve_of(mean_of(some, work), work.val, where="unet-tuned").dice)

    return max((nets[-count:] for count in range(1, TOGETHER + 1)), key=dice)


@case("unet", "U-Net, ResNet-34 encoder, class head", has_mask=True, has_classes=True, scaling="percentile")
def unet(work: Work) -> Prepared:
    """U-Net trained on augmented samples of the protocol's size."""
    epochs = work.recipe.epochs
    found = fitted(work, "unet", lambda folder: [fit(work, folder, epochs, augmentations=epochs)])
    return prepared(work, found, "unet")


@case("unet-staged", "U-Net, first at half size", has_mask=True, has_classes=True, scaling="percentile")
def unet_staged(work: Work) -> Prepared:
    """U-Net trained in two stages."""
    return prepared(work, in_stages(work), "unet-staged")


@case("unet-tuned", "U-Net, first at half size, then tuned", has_mask=True, has_classes=True, scaling="percentile")
def unet_tuned(work: Work) -> Prepared:
    """U-Net trained in two stages and several cycles; the mean of the nets of the last cycles."""
    return prepared(work, fitted(work, "unet-tuned", lambda folder: in_cycles(work, folder)), "unet-tuned")
