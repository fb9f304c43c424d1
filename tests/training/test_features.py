"""A head that learns from features computed once is the head that the whole model would have learnt."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from btlib.training import Plan, fit
from btlib.training.features import FeatureBatches
from btlib.training.initial import build

Make = Callable[..., Plan]
CPU = torch.device("cpu")


@pytest.fixture
def start(make_plan: Make, tmp_path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a trained A."""
    return fit(make_plan("A"), tmp_path / "A", CPU, say=lambda line: None).model.state_dict()


def test_it_is_the_same_head(
    make_plan: Make, tmp_path: Path, start: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    plan = make_plan("C", epochs=4)
    fast = fit(plan, tmp_path / "fast", CPU, start, say=lambda line: None).model.state_dict()
    monkeypatch.setattr(Plan, "head_only", False)
    whole = fit(plan, tmp_path / "whole", CPU, start, say=lambda line: None).model.state_dict()
    untrained = build(plan, start).state_dict()
    for name, value in fast.items():
        assert torch.allclose(value, whole[name], atol=1e-4), name
    assert not torch.allclose(fast["head.embed.weight"], untrained["head.embed.weight"], atol=1e-3)


def test_the_encoder_is_not_run_again(make_plan: Make, tmp_path: Path, start: dict[str, torch.Tensor]):
    plan = make_plan("C", epochs=3)
    model = build(plan, start)
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    model.backbone.register_forward_hook(count)
    batches = FeatureBatches(plan, model, CPU, "fp32")
    slices = len(plan.split.train) + len(plan.split.val)
    assert calls == -(-slices // plan.recipe.batch_size)
    features, masks, labels = batches[plan.split.train[:3]]
    assert features.shape == (3, 128)
    assert masks.numel() == 0
    assert labels.tolist() == plan.dataset.labels[plan.split.train[:3]].tolist()
    expected = model.backbone(
        torch.from_numpy(plan.dataset.images[plan.split.train[:3]])[:, None].expand(-1, 3, -1, -1)
    )
    assert torch.allclose(features, expected.mean((2, 3)), atol=1e-5)


def test_test_slices_have_no_features(make_plan: Make, start: dict[str, torch.Tensor]):
    plan = make_plan("C")
    batches = FeatureBatches(plan, build(plan, start), CPU, "fp32")
    assert torch.isnan(batches[plan.split.test][0]).all()


def test_the_head_has_epochs_of_its_own(make_plan: Make):
    assert make_plan("C", epochs=3, head_epochs=9).epochs == 9
    assert make_plan("C", epochs=3).epochs == 3
    assert make_plan("D", epochs=3, head_epochs=9).epochs == 3
    assert make_plan("C").head_only
    assert not make_plan("D").head_only
    assert not make_plan("C", drifting_batch_norm=True).head_only
