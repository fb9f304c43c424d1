"""A head that learns from features computed once is the head that the whole model would have learnt."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from btlib.thesis.training import Plan, fit
from btlib.thesis.training.features import FeatureBatches, feature_batches
from btlib.thesis.training.initial import build

Make = Callable[..., Plan]
CPU = torch.device("cpu")


@pytest.fixture
def start(make_plan: Make, tmp_path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a trained A."""
    return fit(make_plan("A"), tmp_path / "A", CPU, report=lambda line: None).model.state_dict()


def test_it_is_the_same_head(
    make_plan: Make, tmp_path: Path, start: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    plan = make_plan("C", epochs=4)
    fast = fit(plan, tmp_path / "fast", CPU, start, report=lambda line: None).model.state_dict()
    monkeypatch.setattr(Plan, "head_only", False)
    whole = fit(plan, tmp_path / "whole", CPU, start, report=lambda line: None).model.state_dict()
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
    parts = feature_batches(plan, model, CPU, "fp32")
    n = len(plan.train) + len(plan.val)
    assert calls == -(-n // plan.recipe.batch_size)
    for batches, samples in zip(parts, (plan.train, plan.val), strict=True):
        at = np.arange(len(samples))[::-1].copy()
        features, masks, labels = batches[at]
        assert features.shape == (len(samples), 128)
        assert masks.numel() == 0
        assert labels.tolist() == samples.labels[at].tolist()
        expected = model.backbone(torch.from_numpy(samples.images[at]).expand(-1, 3, -1, -1))
        assert torch.allclose(features, expected.mean((2, 3)), atol=1e-5)


def test_there_are_features_of_training_and_validation_samples_alone(make_plan: Make, start: dict[str, torch.Tensor]):
    """Also where none validate."""
    whole = make_plan("C")
    for plan in (whole, replace(whole, val=whole.val.part(np.array([], int)))):
        train, val = feature_batches(plan, build(plan, start), CPU, "fp32")
        assert (type(train), type(val)) == (FeatureBatches, FeatureBatches)
        assert (len(train.features), len(val.features)) == (len(plan.train), len(plan.val))


def test_the_head_has_epochs_of_its_own(make_plan: Make):
    assert make_plan("C", epochs=3, head_epochs=9).epochs == 9
    assert make_plan("C", epochs=3).epochs == 3
    assert make_plan("D", epochs=3, head_epochs=9).epochs == 3
    assert make_plan("C").head_only
    assert not make_plan("D").head_only
    assert not make_plan("C", drifting_batch_norm=True).head_only
