"""The table of variants, and what is built from its rows. Figures: the thesis's table of variants."""

from dataclasses import FrozenInstanceError

import pytest
import torch
from torch import nn

from btlib.errors import UnknownNameError
from btlib.thesis.models import VARIANTS, TumourModel, create
from btlib.thesis.models.backbone import BACKBONES


def on_meta(variant: str, backbone: str = "resnet50") -> TumourModel:
    """A model of the full size without memory behind it: shapes only."""
    with torch.device("meta"):
        return TumourModel(VARIANTS[variant], backbone)


@pytest.mark.parametrize(("variant", "millions"), [("A", 35.3), ("B", 24.6), ("D", 36.4)])
def test_parameters_are_as_many_as_the_thesis_says(variant: str, millions: float) -> None:
    count = sum(p.numel() for p in on_meta(variant).parameters())
    assert round(count / 1e6, 1) == millions


def test_couplings_add_what_their_layers_hold() -> None:
    """Beside D: E and G project (Linear 3→2048, 512→2048); F has Conv 1→64, BN 64 and 64 more inputs of Linear 512."""
    count = {name: sum(p.numel() for p in on_meta(name).parameters()) for name in "DEFG"}
    assert count["E"] - count["D"] == 3 * 2048 + 2048
    assert count["G"] - count["D"] == 512 * 2048 + 2048
    assert count["F"] - count["D"] == (9 * 64 + 64) + 2 * 64 + 64 * 512


@pytest.mark.parametrize(
    ("variant", "classes"), [("A", 21), ("B", None), ("C", None), ("D", 1), ("E", 1), ("F", 1), ("G", 1)]
)
def test_auxiliary_head_is_there_where_the_thesis_has_one(variant: str, classes: int | None) -> None:
    aux = on_meta(variant).aux
    assert (None if aux is None else aux[-1].out_channels) == classes


@pytest.mark.parametrize(
    ("variant", "losses"),
    [("A", ("seg",)), ("B", ("cls",)), ("C", ("cls",)), *((name, ("seg", "cls")) for name in "DEFG")],
)
def test_losses_follow_from_parts_and_freezing(variant: str, losses: tuple[str, ...]) -> None:
    assert VARIANTS[variant].losses == losses


def test_the_table_holds_the_seven_in_order_and_only_c_takes_over_another() -> None:
    assert list(VARIANTS) == list("ABCDEFG")
    assert {name: VARIANTS[name].frozen_from for name in VARIANTS if VARIANTS[name].frozen_from} == {"C": "A"}
    with pytest.raises(FrozenInstanceError):
        VARIANTS["A"].aux_classes = 3  # type: ignore[misc]


def test_files_are_named_as_in_the_thesis() -> None:
    files = {name: VARIANTS[name].thesis_file for name in VARIANTS}
    assert files == {
        "A": "Model_A_segmentation_only.ckpt",
        "B": "Model_B_classification_only.ckpt",
        "C": "Model_C_intermediate.ckpt",
        "D": None,
        "E": "Model_E_Classification_Informed_Segmentation.ckpt",
        "F": "Model_F_Segmentation_Informed_Classification.ckpt",
        "G": "Model_G_Modified_Classification_Informed_Segmentation.ckpt",
    }


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_backbones_keep_their_word_on_channels_and_resolution(backbone: str) -> None:
    spec = BACKBONES[backbone]
    with torch.device("meta"):
        features = spec.build(3)(torch.empty(2, 3, 33, 47))
    assert features.shape == (2, spec.channels, 5, 6)


@pytest.mark.parametrize(
    "backbone", [pytest.param(name, marks=[pytest.mark.nightly] * (name == "resnet101")) for name in BACKBONES]
)
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_stands_on_every_backbone(variant: str, backbone: str) -> None:
    model = on_meta(variant, backbone)
    with torch.device("meta"):
        output = model(torch.empty(2, 1, 33, 47))
    assert [None if part is None else tuple(part.shape) for part in output] == [
        (2, 1, 33, 47) if VARIANTS[variant].has_mask else None,
        (2, 1, 33, 47) if VARIANTS[variant].has_mask else None,
        (2, 3) if VARIANTS[variant].has_classes else None,
    ]


def test_class_head_drops_as_much_as_the_thesis_and_the_decoder_as_torchvision() -> None:
    model = on_meta("D")
    assert model.head is not None
    assert model.decoder is not None
    assert model.head.drop.p == 0.4
    assert [m.p for m in model.decoder.modules() if isinstance(m, nn.Dropout)] == [0.1]


def test_the_same_seed_gives_the_same_initial_weights() -> None:
    models = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        models.append(create("G", backbone="tiny").state_dict())
    first, second, other = models
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["decoder.4.weight"], other["decoder.4.weight"])


@pytest.mark.parametrize(
    ("arguments", "offer"),
    [
        ({"variant": "a"}, "did you mean 'A'"),
        ({"variant": "A", "backbone": "resnet5"}, "did you mean 'resnet50'"),
        ({"variant": "A", "backbone": "tiny", "weights": "imagnet"}, "did you mean 'imagenet'"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(arguments: dict[str, str], offer: str) -> None:
    with pytest.raises(UnknownNameError, match=offer):
        create(**arguments)
