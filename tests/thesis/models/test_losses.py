"""The thesis's losses against numbers worked out by hand, NumPy and torch's own."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from btlib.thesis.models import ModelOutput
from btlib.thesis.models.losses import classification_loss, segmentation_loss, soft_dice_loss

SHAPES = st.tuples(st.integers(1, 3), st.just(1), st.integers(1, 6), st.integers(1, 7))
PAIRS = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=st.floats(0, 1, width=32)), hnp.arrays(np.bool_, shape)
    )
)


def tensor(*slices: list[list[float]]) -> Tensor:
    return torch.tensor(slices)[:, None]


def thesis_dice(prob: np.ndarray, truth: np.ndarray) -> float:
    """1 − 2·Σpt / (Σp + Σt + 1e-6) slice by slice, in float64, then their mean."""
    p, t = prob.astype(np.float64), truth.astype(np.float64)
    return float(np.mean([1 - 2 * (a * b).sum() / (a.sum() + b.sum() + 1e-6) for a, b in zip(p, t, strict=True)]))


def test_soft_dice_by_hand() -> None:
    """Σpt = 0.5 + 1, Σp = 2, Σt = 2: 1 − 3/4."""
    loss = soft_dice_loss(tensor([[0.5, 0.5, 0], [0, 1, 0]]), tensor([[1, 0, 0], [0, 1, 0]]))
    assert loss.item() == pytest.approx(0.25, abs=1e-6)


def test_soft_dice_is_the_mean_of_slices_not_of_pixels() -> None:
    """A large slice without a fault (0) and a small one missed (1): mean 1/2; pooled it would be 1 − 12/13."""
    prob = tensor([[1.0, 1, 1], [1, 1, 1]], [[0.0, 0, 0], [0, 0, 0]])
    truth = tensor([[1.0, 1, 1], [1, 1, 1]], [[1.0, 0, 0], [0, 0, 0]])
    assert soft_dice_loss(prob, truth).item() == pytest.approx(0.5, abs=1e-6)


def test_soft_dice_of_an_empty_slice_is_one_and_has_a_gradient() -> None:
    """No 1e-6 in the numerator: 1 − 0 / 1e-6, even where nothing was to be found."""
    prob = torch.zeros(1, 1, 2, 3, requires_grad=True)
    loss = soft_dice_loss(prob, torch.zeros(1, 1, 2, 3))
    loss.backward()
    assert loss.item() == 1
    assert prob.grad.isfinite().all()


def test_segmentation_loss_by_hand() -> None:
    """Logits 0: cross entropy ln 2; p = 1/2 on 4 of 8 tumour pixels: soft Dice 1 − 2·2/(4 + 4). Half of each."""
    zeros = torch.zeros(1, 1, 2, 4)
    truth = tensor([[1.0, 1, 1, 1], [0, 0, 0, 0]])
    loss = segmentation_loss(ModelOutput(zeros, zeros.sigmoid(), None), truth)
    assert loss.item() == pytest.approx(0.5 * math.log(2) + 0.5 * 0.5, abs=1e-6)


def test_cross_entropy_takes_the_logits_and_dice_the_probabilities() -> None:
    """C's probabilities are not the sigmoid of its logits; here they are told apart on purpose."""
    logits, prob = tensor([[2.0, -1.0, 0.5]]), tensor([[0.2, 0.9, 0.4]])
    truth = tensor([[1.0, 0.0, 1.0]])
    cross_entropy = np.mean([math.log1p(math.exp(-2.0)), math.log1p(math.exp(-1.0)), math.log1p(math.exp(-0.5))])
    dice = 1 - 2 * 0.6 / (1.5 + 2)
    loss = segmentation_loss(ModelOutput(logits, prob, None), truth)
    assert loss.item() == pytest.approx(0.5 * cross_entropy + 0.5 * dice, abs=1e-6)


def test_segmentation_loss_agrees_with_torchs_cross_entropy_of_probabilities() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(3, 1, 5, 7, generator=generator)
    truth = (torch.rand(3, 1, 5, 7, generator=generator) > 0.6).float()
    expected = 0.5 * torch.nn.BCELoss()(logits.sigmoid(), truth).item() + 0.5 * thesis_dice(
        logits.sigmoid().numpy(), truth.numpy()
    )
    loss = segmentation_loss(ModelOutput(logits, logits.sigmoid(), None), truth)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_classification_loss_by_hand() -> None:
    """Equal logits: ln 3. Logits (2, 0, 0) with label 0: ln(1 + 2·e⁻²). Mean over slices."""
    logits = torch.tensor([[0.0, 0, 0], [2.0, 0, 0]])
    loss = classification_loss(ModelOutput(None, None, logits), torch.tensor([2, 0]))
    assert loss.item() == pytest.approx((math.log(3) + math.log1p(2 * math.exp(-2))) / 2, abs=1e-6)


def test_bf16_outputs_are_summed_in_float32() -> None:
    """Summed in bf16, 4096 probabilities of 0.1 would come to 410 ± 2 at best; the loss must not notice."""
    generator = torch.Generator().manual_seed(4)
    prob = (0.1 + 0.1 * torch.rand(2, 1, 64, 64, generator=generator)).bfloat16()
    logits = torch.randn(2, 1, 64, 64, generator=generator).bfloat16()
    truth = (torch.rand(2, 1, 64, 64, generator=generator) > 0.7).bfloat16()
    classes = torch.randn(2, 3, generator=generator).bfloat16()
    dice = soft_dice_loss(prob, truth)
    assert dice.dtype == torch.float32
    assert dice.item() == pytest.approx(thesis_dice(prob.float().numpy(), truth.float().numpy()), abs=1e-6)
    wide, narrow = ModelOutput(logits.float(), prob.float(), classes.float()), ModelOutput(logits, prob, classes)
    for got, expected in (
        (segmentation_loss(narrow, truth), segmentation_loss(wide, truth.float())),
        (classification_loss(narrow, torch.tensor([1, 2])), classification_loss(wide, torch.tensor([1, 2]))),
    ):
        assert got.dtype == torch.float32
        assert torch.equal(got, expected)


@settings(max_examples=60)
@given(PAIRS)
def test_soft_dice_is_the_formula_within_its_range_whatever_the_order(pair: tuple[np.ndarray, np.ndarray]) -> None:
    prob, truth = (torch.from_numpy(part) for part in pair)
    loss = soft_dice_loss(prob, truth).item()
    assert loss == pytest.approx(thesis_dice(*pair), abs=1e-5)
    assert -1e-6 <= loss <= 1
    assert soft_dice_loss(prob.flip(0), truth.flip(0)).item() == pytest.approx(loss, abs=1e-6)


@settings(max_examples=40)
@given(hnp.arrays(np.bool_, SHAPES))
def test_a_perfect_prediction_costs_nothing(truth: np.ndarray) -> None:
    """Slices without a tumour apart, whose soft Dice loss is 1 by the thesis's formula."""
    truth[:, :, 0, 0] = True
    masks = torch.from_numpy(truth)
    logits = masks.float() * 60 - 30
    assert segmentation_loss(ModelOutput(logits, logits.sigmoid(), None), masks).item() == pytest.approx(0, abs=2e-6)
    inverted = segmentation_loss(ModelOutput(-logits, (-logits).sigmoid(), None), masks).item()
    assert inverted == pytest.approx(0.5 * 30 + 0.5, abs=1e-4)
