"""A network for two structures on images of two channels, without classes.

    python examples/two_structures.py scans                            # a folder of synthetic samples with metadata.csv
    btlib check examples/two_structures.py::two --data scans
    btlib run examples/two_structures.py::two --data scans --image-size 64 --split patient-5fold-1

The core lies inside the tumour, so the two masks overlap and each has a sigmoid of its own. For structures that exclude
each other, let the network return a background channel, too, and use `Outputs(mask=0, structures=2, mask_channels=3)`.
Needs `btlib[torch]`.
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


class Network(nn.Module):
    """Dilated convolutions at half resolution, from the task's channels to one mask for each of its structures."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(len(task.channels), 24, 3, stride=2, padding=1), nn.ReLU()]
        for dilation in (1, 2, 4, 8):
            layers += [nn.Conv2d(24, 24, 3, padding=dilation, dilation=dilation), nn.BatchNorm2d(24), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(24, len(task.structures), 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return mask logits [n, structures, h, w]."""
        return functional.interpolate(self.layers(images), size=images.shape[2:], mode="bilinear")


def loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy of the pixels and soft Dice loss over the batch, as a mean over the structures."""
    p, t = (part.transpose(0, 1).flatten(1) for part in (logits.sigmoid(), masks))
    dice = 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1) + 1)
    return functional.binary_cross_entropy_with_logits(logits, masks) + (1 - dice).mean()


def fit(work: Work) -> Network:
    """Train with Adam on random batches."""
    torch.manual_seed(work.seed)
    device, samples = resolve_device(work.device), work.train
    model = Network(work.task).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 10 * work.recipe.learning_rate)
    for epoch in range(work.recipe.epochs):
        for batch in torch.randperm(len(samples)).split(work.recipe.batch_size):
            images = torch.from_numpy(samples.images[batch.numpy()]).to(device)  # [n, channels, s, s]
            masks = torch.from_numpy(samples.masks[batch.numpy()]).float().to(device)  # [n, structures, s, s]
            value = loss(model(images), masks)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        work.report(f"epoch {epoch + 1} of {work.recipe.epochs}: loss {value.item():.3f}")
    return model


@case("two", "two structures, two channels", has_mask=True, has_classes=False, scaling="percentile", any_size=True)
def prepare(work: Work) -> Prepared:
    """Train the network, or load it."""

    def load(folder: Path) -> Network:
        model = Network(work.task)
        model.load_state_dict(torch.load(folder / "model.pt", map_location="cpu", weights_only=True))
        return model

    fitted = fit_or_load(
        work, "two", lambda _: fit(work), save=lambda m, f: torch.save(m.state_dict(), f / "model.pt"), load=load
    )
    outputs = Outputs(mask=0, structures=len(work.task.structures))
    return fitted.prepared(TorchPredictor(fitted.model, work.device, work.precision, outputs))


if __name__ == "__main__":
    task = Task(name="two", structures=("tumour", "core"), channels=("T1", "FLAIR"), synthetic=True)
    print(write_phantom_table(sys.argv[1], task, 120, size=64))
