"""A map is computed in the precision that it needs, by engines that are built once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from btlib.adapters import SavedPredictions, save_predictions
from btlib.adapters.arrays import CallablePredictor
from btlib.adapters.torch import TorchPredictor
from btlib.data.dataset import Dataset
from btlib.engines import Engine, Subject
from btlib.errors import ModelError, OptionError, PredictionError
from btlib.explain import Explainer, Runner, explainer, occlusion_maps, probability_of
from btlib.explain.explainer import SHARE, SPREAD, STRONGEST, sample
from btlib.types import Predictions

AT = np.arange(6)


def plain(subject: Subject) -> TorchPredictor:
    return TorchPredictor(subject.model, subject.device, "fp32", subject.outputs)


def by_hand(noise: float = 0.0) -> CallablePredictor:
    """Probability of class 2: the mean of the image's left half, and something that changes with every image."""

    def predict(images: np.ndarray) -> Predictions:
        said = images[:, :, :32].mean((1, 2), dtype=np.float64)
        said = said + noise * np.sin(1e6 * said)
        return Predictions(None, np.stack([0.6 * (1 - said), 0.4 * (1 - said), said], axis=1))

    return CallablePredictor(predict)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).random((1, 48, 64), dtype=np.float32)


@pytest.mark.parametrize("engine", ["eager", "auto"])
def test_large_effects_are_mapped_in_bf16(engine: str, learnt: Subject, samples: Dataset):
    given = replace(explainer(learnt, samples.part(AT), engine), patch=16)
    found = given.explain(samples.images[7], int(samples.labels[7]))
    assert (found.precision, found.engine) == ("bf16", "openvino" if engine == "auto" else "eager")
    assert (found.faithful, found.notes, found.label) == (True, (), samples.labels[7])
    assert found.effect > 0.1
    truth = occlusion_maps(probability_of(plain(learnt), found.label), samples.images[7], patch=16)
    assert 0 < np.abs(found.map.drops - truth.drops).max() < 2 * SHARE * truth.effect
    assert found.deviation <= np.abs(found.map.drops - truth.drops).max() + 1e-6


def test_small_effects_are_mapped_in_fp32(unsure: Subject, samples: Dataset, monkeypatch: pytest.MonkeyPatch):
    built: list[str] = []
    build = Engine.build

    def counted(self: Engine, subject: Subject) -> TorchPredictor:
        built.append(subject.precision)
        return build(self, subject)

    monkeypatch.setattr(Engine, "build", counted)
    given = replace(explainer(unsure, samples.part(AT), "eager"), patch=16)
    assert built == ["bf16"]
    for i in (7, 8):
        found = given.explain(samples.images[i], 1)
        truth = occlusion_maps(probability_of(plain(unsure), 1), samples.images[i], patch=16)
        assert 1e-5 < truth.effect < 1e-2
        assert found.precision == "fp32"
        assert found.faithful
        assert np.abs(found.map.drops - truth.drops).max() < SHARE * truth.effect
        (note,) = found.notes
        assert note.startswith("computed again in fp32: engine eager in bf16 changes a drop by up to ")
    assert built == ["bf16", "fp32"]


def test_a_model_in_fp32_stays_so(learnt: Subject, samples: Dataset):
    given = explainer(replace(learnt, precision="fp32"), samples.part(AT), "openvino")
    found = replace(given, patch=32, stride=16, fill="mean").explain(samples.images[0], 0)
    assert given.make_exact is None
    assert given.batch_size == 64  # as many pixels as four samples of 256 px
    assert (found.precision, found.engine, found.faithful) == ("fp32", "openvino", True)
    assert found.deviation < 1e-4
    assert found.map.drops.shape == (3, 3)


def test_the_rule_by_hand(image: np.ndarray):
    """Noise of a tenth of the effects is too much, of a hundredth it is not."""
    effect = occlusion_maps(probability_of(by_hand(), 2), image).effect
    exact = Runner(by_hand(), "exact", "fp32")
    for share, precision in ((0.1, "fp32"), (0.01, "bf16")):
        given = Explainer(Runner(by_hand(share * effect), "fast", "bf16"), by_hand(), lambda: exact)
        found = given.explain(image, 2)
        assert (found.precision, found.engine, found.faithful) == (
            precision,
            "exact" if precision == "fp32" else "fast",
            True,
        )
        assert len(found.notes) == (precision == "fp32")
        assert found.deviation == pytest.approx(0) if precision == "fp32" else found.deviation > 0


def test_what_is_unfaithful_in_fp32_says_so(image: np.ndarray):
    effect = occlusion_maps(probability_of(by_hand(), 2), image).effect
    coarse = Runner(by_hand(0.2 * effect), "fast", "bf16")
    alone = Explainer(coarse, by_hand()).explain(image, 2)
    assert (alone.faithful, alone.precision, alone.notes) == (False, "bf16", ())
    again = Explainer(coarse, by_hand(), lambda: replace(coarse, precision="fp32")).explain(image, 2)
    assert (again.faithful, again.precision, len(again.notes)) == (False, "fp32", 1)


def test_a_constant_model_is_faithful(image: np.ndarray):
    constant = CallablePredictor(lambda images: Predictions(None, np.full((len(images), 3), 1 / 3)))
    found = Explainer(Runner(constant, "any", "bf16"), constant, pytest.fail).explain(image, 0)
    assert (found.map.total == 0).all()
    assert (found.faithful, found.effect, found.deviation) == (True, 0, 0)


def test_any_predictor_serves(image: np.ndarray):
    found = Explainer(Runner(by_hand()), stride=16).explain(image, 2)
    assert (found.precision, found.engine, found.deviation, found.faithful) == ("as given", "predictor", None, None)
    assert found.map.base == pytest.approx(image[0, :, :32].mean())
    assert found.map.drops[0, 0] == pytest.approx(image[0, :32, :32].sum(dtype=float) / (48 * 32))
    assert found.map.drops[0, -1] == 0  # the right half does not count


def test_the_sample():
    drops = np.zeros((29, 29))
    drops[3, 4], drops[20, 1], drops[0, 1], drops[28, 2] = 0.3, -0.4, 0.2, 0.1
    at = sample(drops)
    assert len(at) == SPREAD + STRONGEST
    assert {3 * 29 + 4, 20 * 29 + 1, 1, 28 * 29 + 2, 0, 840} <= set(at.tolist())
    assert sample(np.zeros((1, 1))).tolist() == [0]
    assert sample(np.zeros((2, 3))).tolist() == [0, 1, 2, 3, 4, 5]


def test_what_cannot_be_explained(image: np.ndarray, subject: Callable[..., Subject], samples: Dataset, tmp_path: Path):
    saved = SavedPredictions(save_predictions(tmp_path / "said.npz", samples, by_hand()))
    with pytest.raises(PredictionError, match="saved predictions are found by the ids of samples"):
        Explainer(Runner(saved)).explain(image, 0)
    masks = CallablePredictor(lambda images: Predictions(images, None))
    with pytest.raises(PredictionError, match="returns no class probabilities"):
        Explainer(Runner(masks)).explain(image, 0)
    for label, told in ((-1, "expected a class of 0 or more, got -1"), (3, "expected a class 0…2, got 3")):
        with pytest.raises(OptionError, match=told):
            Explainer(Runner(by_hand())).explain(image, label)
    with pytest.raises(ModelError, match=r"^occlusion: has no classes"):
        explainer(subject("A"), samples.part(AT))
