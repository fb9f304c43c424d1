"""Pretrained weights: torchvision's COCO segmentation weights (the thesis) or ImageNet weights."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from functools import cache

from torch import Tensor
from torchvision import models

from btlib.errors import ModelError
from btlib.registry import unknown_name
from btlib.thesis.models.backbone import BACKBONES, RGB
from btlib.thesis.models.network import TumourModel

WEIGHTS = ("coco", "imagenet", "none")
FIRST = "backbone.conv1.weight"  # the only tensor whose shape depends on the number of input channels
TIMEOUT = 20.0  # seconds; without a network, "auto" must not hang


class WeightsUnavailableError(ModelError):
    """Pretrained weights are neither in the cache nor available from the network."""


def load_pretrained(model: TumourModel, weights: str | None) -> None:
    """Load pretrained weights into a model, in place.

    "coco" fills the backbone, and all tensors of decoder and auxiliary head that have the same shape (the last
    convolution stays random, except in A's 21-class auxiliary head). "imagenet" fills only the backbone.

    The weights are for three colour channels. For a model with another number n of input channels, each channel gets
    the sum of the three colours' kernels divided by n. So n equal channels give the features of one grey image, and
    the scale of all later layers fits, as in inflated networks (arXiv 1705.07750). Channels such as T1 and FLAIR are
    grey images, so none of them is treated like a colour; their kernels become different in training.

    Raises:
        UnknownNameError: No such weights.
        ModelError: The backbone has no such weights.
        WeightsUnavailableError: They cannot be downloaded.
    """
    if weights in (None, "none"):
        return
    if weights not in WEIGHTS:
        raise unknown_name("weights", str(weights), WEIGHTS)
    stem = BACKBONES[model.backbone_name].pretrained
    if stem is None:
        raise ModelError(
            f"there are no pretrained weights {weights!r} for the backbone {model.backbone_name!r}",
            hint="use weights none",
        )
    _fill(model, _download(stem, str(weights)))


def resolve_weights(weights: str, backbone: str) -> tuple[str, tuple[str, ...]]:
    """Resolve "auto" to available weights; return the weights and notes for the reader of the results.

    "auto" is "coco" if these weights are available, else "none". Every other name is returned unchanged.

    Raises:
        UnknownNameError: No such weights.
    """
    notes: tuple[str, ...] = ()
    if weights not in ("auto", *WEIGHTS):
        raise unknown_name("weights", weights, ("auto", *WEIGHTS), where="--bt-weights")
    if BACKBONES[backbone].pretrained is None:
        return ("none" if weights == "auto" else weights), notes
    if weights == "auto":
        weights, notes = _coco_or_none(backbone)
    if weights == "none":
        notes = (*notes, "trained from scratch: the thesis started from COCO weights")
    return weights, notes


@cache
def _coco_or_none(backbone: str) -> tuple[str, tuple[str, ...]]:
    try:
        _download(str(BACKBONES[backbone].pretrained), "coco")
    except WeightsUnavailableError as error:
        return "none", (error.problem,)
    return "coco", ()


def _fill(model: TumourModel, state: Mapping[str, Tensor]) -> None:
    own = model.state_dict()
    if FIRST in state and model.inputs != RGB:
        state = {**state, FIRST: for_channels(state[FIRST], model.inputs)}
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    missing = [k for k in own if k.startswith("backbone.") and k not in fitting]
    if missing:
        raise ModelError(
            f"the pretrained weights lack {len(missing)} of the backbone's tensors, such as {missing[0]!r}"
        )
    model.load_state_dict(fitting, strict=False)


def for_channels(kernels: Tensor, channels: int) -> Tensor:
    """Return kernels [out, channels, kh, kw] for grey channels, made from those for colours, [out, 3, kh, kw]."""
    return (kernels.sum(dim=1, keepdim=True) / channels).expand(-1, channels, -1, -1).contiguous()


def _download(stem: str, weights: str) -> dict[str, Tensor]:
    name = (
        f"FCN_{_camel(stem)}_Weights.COCO_WITH_VOC_LABELS_V1"
        if weights == "coco"
        else f"{_camel(stem)}_Weights.IMAGENET1K_V1"
    )
    try:
        with _timeout(TIMEOUT):
            state = models.get_weight(name).get_state_dict(progress=True, check_hash=True)
    except Exception as error:  # no network, timeout, wrong hash, damaged file in the cache: many types
        raise WeightsUnavailableError(
            f"cannot get {name}: {error}",
            hint="connect to the network, put the file into torch's hub cache, or train from scratch (weights none)",
        ) from error
    return _renamed(state, {"backbone": "backbone", "classifier": "decoder", "aux_classifier": "aux"}, weights)


def _renamed(state: Mapping[str, Tensor], names: Mapping[str, str], weights: str) -> dict[str, Tensor]:
    if weights == "imagenet":
        return {f"backbone.{k}": v for k, v in state.items() if not k.startswith("fc.")}
    return {f"{names[head]}.{rest}": v for k, v in state.items() for head, _, rest in [k.partition(".")]}


def _camel(stem: str) -> str:
    return stem.replace("resnet", "ResNet")


@contextlib.contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
