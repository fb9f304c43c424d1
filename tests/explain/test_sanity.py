"""Random weights destroy a map that shows the model, and leave one that does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from btlib.adapters.arrays import CallablePredictor
from btlib.adapters.outputs import Outputs
from btlib.adapters.torch import TorchPredictor
from btlib.data.dataset import Dataset
from btlib.engines import Subject
from btlib.errors import OptionError
from btlib.explain import Explainer, Runner, explainer
from btlib.explain.occlusion import OcclusionMap
from btlib.explain.sanity import cascade, rank_correlation, sanity_check
from btlib.types import Predictions

AT = np.arange(3)


def test_a_trained_models_maps_are_destroyed(learnt: Subject, samples: Dataset):
    given = replace(explainer(replace(learnt, precision="fp32"), samples.part(AT), "eager"), patch=16)
    before = {name: value.clone() for name, value in learnt.model.state_dict().items()}
    found = sanity_check(given, samples.images[AT], samples.labels[AT], samples.ids[AT], draws=2)
    assert [step.layer for step in found.steps[:2]] == ["head.out", "head.embed"]
    assert found.steps[-1].layer == "backbone.down"
    assert (found.ids, found.draws, found.patch) == (["10", "20", "30"], 2, 16)
    assert {len(step.correlations) for step in found.steps} == {6}
    for step in found.steps:
        assert (step.correlation, step.size) == pytest.approx(
            (np.mean(step.correlations), np.abs(step.correlations).mean())
        )
    assert any(step.size > abs(step.correlation) + 1e-6 for step in found.steps), "some maps turn their sign"
    last = found.steps[-1]
    assert abs(last.correlation) < 0.5  # the trained model's own would be 1
    assert last.size < found.steps[0].size
    assert all(torch.equal(value, before[name]) for name, value in learnt.model.state_dict().items())
    again = sanity_check(given, samples.images[:1], samples.labels[:1], samples.ids[:1], draws=1)
    assert [step.correlations for step in again.steps] == [step.correlations[:1] for step in found.steps]


class Fixed(torch.nn.Module):
    """Has weights, and does not use them."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Linear(3, 3)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        return (images.mean((1, 2, 3))[:, None] * torch.tensor([1.0, 2.0, 3.0]),)


def test_a_map_that_does_not_depend_on_the_weights_is_found_out(samples: Dataset):
    given = Explainer(Runner(TorchPredictor(Fixed(), "cpu", outputs=Outputs(classes=0))), patch=16, stride=4)
    found = sanity_check(given, samples.images[:1], samples.labels[:1], samples.ids[:1], draws=2)
    assert [(step.layer, step.correlation) for step in found.steps] == [("unused", pytest.approx(1))]


def test_patches_lie_apart_and_all_else_is_the_explainers(samples: Dataset, monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, object]] = []

    def maps(score: object, image: object, **how: object) -> OcclusionMap:
        asked.append(how)
        return OcclusionMap(*np.zeros((2, 1, 1)), 0.5, np.arange(4.0).reshape(2, 2))

    monkeypatch.setattr("btlib.explain.sanity.occlusion_maps", maps)
    runner = Runner(TorchPredictor(Fixed(), "cpu", outputs=Outputs(classes=0)))
    given = Explainer(runner, patch=16, stride=4, fill="mean", batch_size=7)
    sanity_check(given, samples.images[:2], samples.labels[:2], samples.ids[:2], draws=1)
    assert asked == [{"patch": 16, "stride": 16, "fill": "mean", "batch_size": 7}] * 4


def test_layers_from_the_last_to_the_first():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4))
    start = [p.clone() for p in model.parameters()]
    state = torch.random.get_rng_state()
    changed = [
        (name, [not torch.equal(a, b) for a, b in zip(start, copy.parameters(), strict=True)])
        for name, copy in cascade(model, seed=1)
    ]
    assert changed == [("2", [False, False, True, True]), ("0", [True] * 4)]
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(start, model.parameters(), strict=True))
    draws = [next(cascade(model, seed))[1][2].weight.clone() for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_bare_parameters_are_shuffled():
    class Bare(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.arange(50.0).view(5, 10))

    ((name, changed),) = cascade(Bare(), seed=0)
    assert name == ""
    assert not torch.equal(changed.weight, Bare().weight)
    assert torch.equal(changed.weight.flatten().sort().values, torch.arange(50.0))


@pytest.mark.parametrize("shape", [(3, 5), (1, 4)])
def test_the_correlation_is_spearmans(shape: tuple[int, int]):
    rng = np.random.default_rng(0)
    for _ in range(5):
        a, b = rng.integers(0, 6, (2, *shape)).astype(float)
        if np.ptp(a) and np.ptp(b):
            assert rank_correlation(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(a, a) == pytest.approx(1)
    assert rank_correlation(a, -(a**3)) == pytest.approx(-1)


def test_with_a_constant_map_nothing_agrees():
    assert rank_correlation(np.zeros((2, 3)), np.arange(6.0).reshape(2, 3)) == 0
    assert rank_correlation(np.arange(1.0), np.arange(1.0)) == 0


def test_what_has_no_weights(samples: Dataset):
    by_hand = CallablePredictor(lambda images: Predictions(None, np.full((len(images), 3), 1 / 3)))
    images, labels, ids = samples.images[:1], samples.labels[:1], samples.ids[:1]
    with pytest.raises(OptionError, match="only the weights of a PyTorch module"):
        sanity_check(Explainer(Runner(by_hand)), images, labels, ids)
    empty = TorchPredictor(torch.nn.Identity(), "cpu", outputs=Outputs(classes=0))
    with pytest.raises(OptionError, match="no parameters to randomise"):
        next(cascade(empty.model))
    with pytest.raises(OptionError, match="at least 1 draw"):
        sanity_check(Explainer(Runner(empty)), images, labels, ids, draws=0)
