"""Class head and couplings: the modules between the encoder's features and the two outputs."""

import torch
from torch import Tensor, nn


class ClassHead(nn.Module):
    """Class head: pooled features → embedding → class logits (Linear, ReLU, Dropout 0.4, Linear).

    Args:
        channels: Length of the pooled feature vector.
        hidden: Length of the embedding (512 for a ResNet).
        classes: Number of classes.
    """

    def __init__(self, channels: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, hidden)
        self.drop = nn.Dropout(0.4)
        self.out = nn.Linear(hidden, classes)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Return embedding [n, hidden] and class logits [n, classes] of pooled features [n, channels]."""
        embedding = torch.relu(self.embed(pooled))
        return embedding, self.out(self.drop(embedding))


def pool(features: Tensor) -> Tensor:
    """Global average pooling, [n, c, h, w] → [n, c]."""
    return features.mean(dim=(2, 3))


class SideBySide(nn.Module):
    """No coupling (A–D): decoder and class head get the same features, and are independent of each other."""

    def forward(
        self, features: Tensor, decoder: nn.Module | None, head: nn.Module | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return coarse mask logits and class logits; None for a missing decoder or class head."""
        mask = None if decoder is None else decoder(features)
        classes = None if head is None else head(pool(features))[1]
        return mask, classes


class ProjectAndAdd(nn.Module):
    """Coupling of E and G: class logits or embedding, projected to the features' channels, added at every position.

    Args:
        source: "logits" (E) or "embedding" (G).
        width: Length of the projected vector.
        channels: Number of channels of the features.
    """

    def __init__(self, source: str, width: int, channels: int) -> None:
        super().__init__()
        self.source = source
        self.project = nn.Linear(width, channels)

    def forward(self, features: Tensor, decoder: nn.Module, head: nn.Module) -> tuple[Tensor, Tensor]:
        """Return coarse mask logits [n, structures, h/8, w/8] and class logits [n, classes]."""
        embedding, logits = head(pool(features))
        shift = self.project(logits if self.source == "logits" else embedding)
        return decoder(features + shift[:, :, None, None]), logits


class MaskToClasses(nn.Module):
    """Coupling of F: features of the coarse mask are appended to the pooled features for the class head."""

    CHANNELS = 64

    def __init__(self, structures: int) -> None:
        super().__init__()
        self.extract = nn.Sequential(
            nn.Conv2d(structures, self.CHANNELS, 3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(self.CHANNELS),
            nn.MaxPool2d(2),
        )

    def forward(self, features: Tensor, decoder: nn.Module, head: nn.Module) -> tuple[Tensor, Tensor]:
        """Return coarse mask logits [n, structures, h/8, w/8] and class logits [n, classes]."""
        mask: Tensor = decoder(features)
        pooled = torch.cat([pool(features), pool(self.extract(mask))], dim=1)
        return mask, head(pooled)[1]
