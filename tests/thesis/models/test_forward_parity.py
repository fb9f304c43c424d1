"""The seven variants restated as the thesis wrote them: torchvision's FCN, nn.Sequential and its own names.

The restatements share nothing with `btlib.thesis.models`; their weights are handed over by `load_thesis_state_dict`.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.segmentation import fcn_resnet50

from btlib.thesis.models import VARIANTS, load_thesis_state_dict, to_thesis_state_dict

Output = tuple[Tensor | None, Tensor | None, Tensor | None]


def fcn(aux_classes: int = 21) -> nn.Module:
    """The COCO-shaped network with its last convolution replaced by a one-class one."""
    network = fcn_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    network.classifier[4] = nn.Conv2d(512, 1, 1)
    if aux_classes != 21:
        network.aux_classifier[4] = nn.Conv2d(256, aux_classes, 1)
    return network


def class_head(inputs: int = 2048) -> nn.Sequential:
    pooling = (nn.AdaptiveAvgPool2d(1), nn.Flatten()) if inputs == 2048 else (nn.Identity(), nn.Identity())
    return nn.Sequential(*pooling, nn.Linear(inputs, 512), nn.ReLU(), nn.Dropout(0.4), nn.Linear(512, 3))


def with_mask(coarse: Tensor, images: Tensor, classes: Tensor | None) -> Output:
    logits = functional.interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)
    return logits, torch.sigmoid(logits), classes


class PlainA(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = fcn()

    def forward(self, images: Tensor) -> Output:
        logits = self.model(images.repeat(1, 3, 1, 1))["out"]
        return logits, torch.sigmoid(logits), None


class PlainB(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = fcn().backbone
        self.classifier = class_head()

    def forward(self, images: Tensor) -> Output:
        return None, None, self.classifier(self.encoder(images.repeat(1, 3, 1, 1))["out"])


class PlainC(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        trained = fcn()
        self.encoder, self.seg_decoder = trained.backbone, trained.classifier
        self.classifier = class_head()

    def forward(self, images: Tensor) -> Output:
        """Alone in applying the sigmoid at 1/8 resolution and up-sampling probabilities."""
        features = self.encoder(images.repeat(1, 3, 1, 1))["out"]
        logits, _, classes = with_mask(self.seg_decoder(features), images, self.classifier(features))
        coarse = torch.sigmoid(self.seg_decoder(features))
        return logits, functional.interpolate(coarse, images.shape[2:], mode="bilinear", align_corners=False), classes


class PlainD(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = fcn(aux_classes=1)
        self.classifier = class_head()

    def forward(self, images: Tensor) -> Output:
        features = self.model.backbone(images.repeat(1, 3, 1, 1))["out"]
        return with_mask(self.model.classifier(features), images, self.classifier(features))


class PlainE(PlainD):
    def __init__(self) -> None:
        super().__init__()
        self.cls_proj = nn.Linear(3, 2048)

    def forward(self, images: Tensor) -> Output:
        features = self.model.backbone(images.repeat(1, 3, 1, 1))["out"]
        classes = self.classifier(features)
        informed = features + self.cls_proj(classes).view(-1, 2048, 1, 1).expand_as(features)
        return with_mask(self.model.classifier(informed), images, classes)


class PlainF(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = fcn(aux_classes=1)
        self.seg_feature_extractor = nn.Sequential(
            nn.Conv2d(1, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.BatchNorm2d(64),
            nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = class_head(2048 + 64)

    def forward(self, images: Tensor) -> Output:
        features = self.model.backbone(images.repeat(1, 3, 1, 1))["out"]
        coarse = self.model.classifier(features)
        pooled = functional.adaptive_avg_pool2d(features, 1).flatten(1)
        informed = torch.cat([pooled, self.seg_feature_extractor(coarse).flatten(1)], dim=1)
        return with_mask(coarse, images, self.classifier(informed))


class PlainG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = fcn(aux_classes=1)
        self.cls_feature_extractor = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 512), nn.ReLU()
        )
        self.cls_final = nn.Sequential(nn.Dropout(0.4), nn.Linear(512, 3))
        self.cls_proj = nn.Linear(512, 2048)

    def forward(self, images: Tensor) -> Output:
        features = self.model.backbone(images.repeat(1, 3, 1, 1))["out"]
        embedding = self.cls_feature_extractor(features)
        informed = features + self.cls_proj(embedding).view(-1, 2048, 1, 1).expand_as(features)
        return with_mask(self.model.classifier(informed), images, self.cls_final(embedding))


PLAIN: dict[str, Any] = {
    "A": PlainA,
    "B": PlainB,
    "C": PlainC,
    "D": PlainD,
    "E": PlainE,
    "F": PlainF,
    "G": PlainG,
}


def as_if_trained(model: nn.Module) -> nn.Module:
    """Batch norm with statistics of its own and residuals that do not explode, mask logits of some units."""
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.1, 0.3) if name.endswith("bn3") else module.weight.data.uniform_(0.8, 1.2)
            module.bias.data.normal_(0, 0.1)
        if isinstance(module, nn.Conv2d) and module.out_channels == 1:
            module.weight.data.mul_(20)
    return model.eval()


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_thesis_checkpoint_predicts_what_the_thesis_would(variant: str) -> None:
    torch.manual_seed(7)
    plain = as_if_trained(PLAIN[variant]())
    images = torch.rand(2, 1, 32, 48) * 3
    state = plain.state_dict()
    model = load_thesis_state_dict(variant, state)
    assert not model.training
    assert set(to_thesis_state_dict(model)) == set(state)
    with torch.inference_mode():
        expected, got = plain(images), model(images)
    for name, theirs, ours in zip(got._fields, expected, got, strict=True):
        assert (ours is None) == (theirs is None), name
        if theirs is not None:
            assert theirs.std() > 0.01, f"{name} is too flat to tell anything"
            torch.testing.assert_close(
                ours, theirs, rtol=1e-5, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
            )
    if variant == "C":
        assert (got.mask_prob - got.mask_logits.sigmoid()).abs().max() > 1e-3  # the order of the two can be told
