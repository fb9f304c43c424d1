"""A network for four classes, one of which is "no tumour" and has empty masks.

    python examples/four_classes.py scans                              # a folder of synthetic samples with metadata.csv
    btlib check examples/four_classes.py::four --data scans
    btlib run examples/four_classes.py::four --data scans --image-size 64 --split patient-5fold-1

The number of classes comes from `work.task`. A sample without a tumour has an empty mask: the cross entropy of its
pixels teaches the network to leave it empty, and the Dice loss is computed on samples with a tumour only. Needs
`btlib[torch]`.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from btlib.adapters import Outputs, TorchPredictor
from btlib.adapters.torch import resolve_device
from btlib.cases import Prepared, Work, case, fit_or_load
from btlib.data.sources.phantom.table import write_phantom_table
from btlib.data.task import Task

CLASSES = ("meningioma", "glioma", "pituitary", "no tumour")


class Network(nn.Module):
    """A small encoder whose features give a mask and, pooled, the classes."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        blocks = [self._block(*sides) for sides in ((channels, 16), (16, 32), (32, 64))]
        self.encoder = nn.Sequential(*blocks)
        self.mask, self.classes = nn.Conv2d(64, 1, 1), nn.Linear(128, classes)

    @staticmethod
    def _block(inputs: int, outputs: int) -> nn.Sequential:
        stride = 1 if outputs == 64 else 2  # a quarter of the resolution in all
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mask logits [n, 1, h, w] and class logits [n, classes]."""
        features = self.encoder(images)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        mask = functional.interpolate(self.mask(features), size=images.shape[2:], mode="bilinear")
        return mask, self.classes(pooled)


def loss(output: tuple[Tensor, Tensor], masks: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of pixels and classes, and the soft Dice loss of the samples whose mask is not empty."""
    mask, classes = output
    total = functional.binary_cross_entropy_with_logits(mask, masks) + functional.cross_entropy(classes, labels)
    there = masks.flatten(1).any(dim=1)
    if there.any():
        p, t = mask.sigmoid()[there].flatten(1), masks[there].flatten(1)
        total = total + (1 - 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1))).mean()
    return total


def fit(work: Work) -> Network:
    """Train with Adam on random batches."""
    torch.manual_seed(work.seed)
    device, samples = resolve_device(work.device), work.train
    model = Network(len(work.task.channels), len(work.task.classes)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 5 * work.recipe.learning_rate)
    for epoch in range(work.recipe.epochs):
        for batch in torch.randperm(len(samples)).split(work.recipe.batch_size):
            at = batch.numpy()
            images, masks = torch.from_numpy(samples.images[at]), torch.from_numpy(samples.masks[at]).float()
            value = loss(model(images.to(device)), masks.to(device), torch.from_numpy(samples.labels[at]).to(device))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        work.report(f"epoch {epoch + 1} of {work.recipe.epochs}: loss {value.item():.3f}")
    return model


@case("four", "four classes, empty masks", has_mask=True, has_classes=True, scaling="percentile", any_size=True)
def prepare(work: Work) -> Prepared:
    """Train the network, or load it."""

    def load(folder: Path) -> Network:
        model = Network(len(work.task.channels), len(work.task.classes))
        model.load_state_dict(torch.load(folder / "model.pt", map_location="cpu", weights_only=True))
        return model

    fitted = fit_or_load(
        work, "four", lambda _: fit(work), save=lambda m, f: torch.save(m.state_dict(), f / "model.pt"), load=load
    )
    outputs = Outputs(mask=0, classes=1)
    return fitted.prepared(TorchPredictor(fitted.model, work.device, work.precision, outputs))


if __name__ == "__main__":
    task = Task(name="four", classes=CLASSES, structures=("tumour",), synthetic=True)
    print(write_phantom_table(sys.argv[1], task, 120, size=64))
