"""Encoders for any number of image channels, from scratch and from pretrained weights."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.models import resnet50

from btlib.data.task import Task
from btlib.errors import ModelError
from btlib.thesis.models import VARIANTS, create, pretrained
from btlib.thesis.models.backbone import BACKBONES
from btlib.thesis.training.features import features

NAMES = ("T1", "T2", "FLAIR", "T1c", "ADC")
Noise = Callable[..., Tensor]


def task_of(channels: int, classes: int = 2, structures: int = 1) -> Task:
    return Task(
        name=f"{channels} channels",
        classes=tuple("abcd"[:classes]),
        structures=tuple("xyz"[:structures]),
        channels=NAMES[:channels],
    )


def noise(channels: int, n: int = 2) -> Tensor:
    return torch.rand(n, channels, 33, 47, generator=torch.Generator().manual_seed(channels))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_channel_counts(variant: str, channels: int) -> None:
    model, images = create(variant, backbone="tiny", task=task_of(channels)).eval(), noise(channels)
    with torch.inference_mode():
        whole = model(images)
        for k in range(channels):
            other = images.clone()
            other[:, k] = images.flip(3)[:, k]
            assert all(a is None or not torch.equal(a, b) for a, b in zip(whole, model(other), strict=True))
        alone = model.classes_only()
        assert alone is None or torch.allclose(alone(images), whole.class_logits, atol=1e-6)


@pytest.mark.parametrize(("channels", "given"), [(2, 1), (2, 3), (4, 1), (4, 3), (1, 2), (3, 2)])
def test_images_of_other_channels_are_refused(channels: int, given: int) -> None:
    taken = channels if channels in (2, 4) else "1 or 3"
    with pytest.raises(ModelError, match=rf"expected images \[n, {taken}, h, w\] .* got \[2, {given}, 33, 47\]"):
        create("B", backbone="tiny", task=task_of(channels)).eval()(noise(given))


def test_features_for_a_head_are_of_every_channel() -> None:
    model, images = create("C", backbone="tiny", task=task_of(4)), noise(4)
    with torch.inference_mode():
        expected = model.eval().backbone(images).mean(dim=(2, 3))
    assert torch.equal(features(model, images, "fp32"), expected)


@pytest.mark.parametrize("backbone", list(BACKBONES))
@pytest.mark.parametrize("inputs", [2, 5])
def test_backbones_take_any_number_of_channels(backbone: str, inputs: int) -> None:
    with torch.device("meta"):
        found = BACKBONES[backbone].build(inputs)(torch.empty(2, inputs, 33, 47))
    assert found.shape == (2, BACKBONES[backbone].channels, 5, 6)


def test_another_first_convolution_starts_on_the_scale_of_its_own() -> None:
    """He's initialisation for its output (arXiv 1502.01852), as for all convolutions of torchvision's ResNets."""
    torch.manual_seed(0)
    kernels = BACKBONES["resnet50"].build(4).conv1.weight
    assert kernels.shape == (64, 4, 7, 7)
    assert float(kernels.detach().std()) == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.02)


@pytest.fixture
def imagenet(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Random weights under the names of torchvision's, in place of its file."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = resnet50(weights=None).state_dict()
    monkeypatch.setattr(pretrained.models, "get_weight", lambda name: _Served(state))
    return state


class _Served:
    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def get_state_dict(self, **options: bool) -> dict[str, Tensor]:
        return self.state


@pytest.mark.parametrize("channels", [2, 4])
def test_equal_channels_give_the_pretrained_features_of_a_grey_image(
    channels: int, imagenet: dict[str, Tensor]
) -> None:
    grey = noise(1)
    found = []
    for task in (task_of(1), task_of(channels)):
        model = create("B", "imagenet", task=task).eval()
        with torch.inference_mode():
            found.append(model.backbone[:4](grey.expand(-1, model.inputs, -1, -1)))  # up to the first pooling
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)
    rest = {k: v for k, v in model.state_dict().items() if k.startswith("backbone.") and k != pretrained.FIRST}
    assert all(torch.equal(value, imagenet[key.removeprefix("backbone.")]) for key, value in rest.items())


def test_three_channels_keep_the_pretrained_colours(imagenet: dict[str, Tensor]) -> None:
    model = create("B", "imagenet", task=task_of(3))
    assert torch.equal(model.backbone.conv1.weight, imagenet["conv1.weight"])


@pytest.mark.parametrize(
    ("variant", "classes", "structures", "needs"),
    [
        *((name, 0, 1, "classes") for name in "BCDEFG"),
        *((name, 2, 0, "structures") for name in "ACDEFG"),
    ],
)
def test_a_task_without_what_a_variant_needs_is_named(variant: str, classes: int, structures: int, needs: str) -> None:
    with pytest.raises(
        ModelError, match=rf"^variant {variant}: needs {needs}, and the task '2 channels' has none\nHint"
    ):
        create(variant, backbone="tiny", task=task_of(2, classes, structures))


@pytest.mark.parametrize(("variant", "classes", "structures"), [("A", 0, 2), ("B", 3, 0), ("B", 1, 0), ("D", 1, 3)])
def test_the_others_work(variant: str, classes: int, structures: int) -> None:
    model = create(variant, backbone="tiny", task=task_of(2, classes, structures)).eval()
    with torch.inference_mode():
        logits, prob, scores = model(noise(2))
    assert (scores is None) == (variant == "A")
    assert scores is None or scores.shape == (2, classes)
    assert prob is None or prob.shape == logits.shape == (2, structures, 33, 47)
