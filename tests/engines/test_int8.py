"""The quantised engine: only on request, held by the guard, told as what it is."""

import logging
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from btlib.adapters.outputs import Outputs
from btlib.data.dataset import Dataset
from btlib.engines import ENGINES, Engine, Subject, choose
from btlib.engines.choose import AGREEMENT
from btlib.errors import ModelError, OptionError
from btlib.thesis.models import create

pytestmark = pytest.mark.nightly

INT8 = "openvino-int8"


@pytest.fixture(scope="module")
def learnt() -> torch.nn.Module:
    """A tiny D that knows the squares of `make_dataset`: numbers of a random net say nothing about int8."""
    torch.manual_seed(0)
    rng = np.random.default_rng(3)
    model = create("D", backbone="tiny").train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        images, masks, labels = squares(rng, 12)
        output = model(images)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(output.mask_logits, masks)
        (loss + torch.nn.functional.cross_entropy(output.class_logits, labels)).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def squares(rng: np.random.Generator, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    labels = np.arange(n) % 3
    images, masks = rng.random((n, 1, 32, 32), dtype=np.float32), np.zeros((n, 1, 32, 32), np.float32)
    for i, k in enumerate(labels):
        side = 4 * (int(k) + 2)
        top, left = rng.integers(0, 32 - side, 2)
        masks[i, 0, top : top + side, left : left + side] = 1
    return torch.from_numpy(images + 4 * masks), torch.from_numpy(masks), torch.from_numpy(labels)


@pytest.fixture
def given(subject: Callable[..., Subject], learnt: torch.nn.Module, make_dataset: Callable[..., Dataset]) -> Subject:
    training = make_dataset(24, seed=1).images
    return replace(subject("D", calibration=lambda: training), model=learnt)


@pytest.fixture
def sure(given: Subject) -> Subject:
    """The same, but for the tumour types alone: a mask of 4 × 4 cells moves by more than the guard allows."""
    return replace(given, outputs=Outputs(classes="class_logits"), identity="test-classes")


def chosen_by(given: Subject, slices: Dataset, wanted: str = INT8):
    return choose(given, wanted, slices, 0.5, lambda line: None)


def test_it_passes_the_guard_and_is_told_as_int8(sure: Subject, slices: Dataset, capfd: pytest.CaptureFixture[str]):
    chosen = chosen_by(sure, slices)
    assert (chosen.engine, chosen.notes) == (INT8, ())
    guard = chosen.details.pop("guard")
    assert chosen.details == {"engine": INT8, "precision": "int8", "calibration_samples": 24}
    assert guard["samples"] == 12
    assert guard["agreement"] >= AGREEMENT
    assert capfd.readouterr() == ("", "")


def test_it_is_int8_indeed(given: Subject, slices: Dataset):
    """It differs from fp32 by more than rounding, but by little; batches of any size."""
    ours, theirs = ENGINES[INT8].build(given), ENGINES["openvino"].build(given)
    for n in (1, 3, 5):
        gap = np.abs(ours.predict(slices.images[:n]).mask_prob - theirs.predict(slices.images[:n]).mask_prob)
        assert gap.shape == (n, 32, 32)
        assert gap.max() > 1e-4
        assert gap.mean() < 0.01


@pytest.mark.parametrize(("variant", "ends"), [("A", 2), ("B", 2), ("D", 3), ("F", 3)])
def test_the_first_and_the_last_layers_stay_in_fp32(variant: str, ends: int, subject: Callable[..., Subject]):
    """One reads the image, and one writes each answer."""
    from btlib.engines import openvino, openvino_int8

    program = openvino.program(subject(variant, identity=None))
    products = [op for op in program.get_ordered_ops() if op.get_type_name() in ("Convolution", "MatMul")]
    widths = {op.get_friendly_name(): op.get_output_partial_shape(0)[1].get_length() for op in products}
    kept = openvino_int8._ends(program)
    assert len(kept) == ends < len(products)
    assert products[0].get_friendly_name() in kept
    assert {widths[name] for name in kept if name != products[0].get_friendly_name()} <= {1, 3}


def test_in_bf16_it_is_tried_once_as_int8(sure: Subject, slices: Dataset):
    assert chosen_by(replace(sure, precision="bf16"), slices).details["precision"] == "int8"


@pytest.mark.parametrize(("which", "problem"), [("given", "mean Dice differs by"), ("sure", "33.3 % of the classes")])
def test_ranges_from_other_images_are_refused(
    which: str, problem: str, slices: Dataset, request: pytest.FixtureRequest
):
    """A calibration on samples that are near black clips everything; no other engine takes its place."""
    model: Subject = request.getfixturevalue(which)
    dark = model.calibration() * np.float32(1e-3)
    for precision in ("fp32", "bf16"):
        with pytest.raises(ModelError, match=f"engine {INT8} in int8 was skipped: {problem}") as caught:
            chosen_by(replace(model, precision=precision, calibration=lambda: dark), slices)
        assert str(caught.value).count("was skipped") == 1


@pytest.mark.parametrize("calibration", [None, lambda: np.empty((0, 1, 32, 32), np.float32)])
def test_without_training_slices_it_says_so(
    given: Subject, slices: Dataset, calibration: Callable[[], NDArray[np.float32]] | None
):
    with pytest.raises(ModelError, match="int8 was skipped: there are no training samples for the calibration"):
        chosen_by(replace(given, calibration=calibration), slices)


def test_a_quantiser_that_fails_is_told(given: Subject, slices: Dataset):
    wrong = replace(given, calibration=lambda: np.zeros((2, 7), np.float32), identity=None)
    with pytest.raises(ModelError, match="NNCF cannot quantise the model: "):
        chosen_by(wrong, slices)


def test_auto_never_tries_it(given: Subject, slices: Dataset, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    def build(self: Engine, one: Subject) -> None:
        asked.append(self.name)
        raise ModelError("not today")

    monkeypatch.setattr(Engine, "build", build)
    for precision in ("fp32", "bf16"):
        with pytest.raises(ModelError, match="not today"):
            chosen_by(replace(given, precision=precision), slices, "auto")
    assert INT8 not in asked
    assert "eager" in asked


def test_it_is_quantised_once_for_each_calibration(given: Subject, slices: Dataset, monkeypatch: pytest.MonkeyPatch):
    import nncf

    calls: list[int] = []
    quantize = nncf.quantize
    monkeypatch.setattr(nncf, "quantize", lambda *a, **k: calls.append(k["subset_size"]) or quantize(*a, **k))
    first = ENGINES[INT8].build(given).predict(slices.images)
    again = ENGINES[INT8].build(given).predict(slices.images)
    assert calls == [24]
    assert np.array_equal(first.mask_prob, again.mask_prob)
    assert np.array_equal(first.class_prob, again.class_prob)
    ENGINES[INT8].build(replace(given, calibration=lambda: given.calibration()[1:]))
    ENGINES[INT8].build(replace(given, identity="another training"))
    ENGINES[INT8].build(replace(given, identity=None))
    assert calls == [24, 23, 24, 24]


def test_the_extra_that_brings_it_is_named(given: Subject, slices: Dataset, monkeypatch: pytest.MonkeyPatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "nncf" else find(name))
    with pytest.raises(OptionError, match=r"choose one of: auto, openvino, .*; or pip install 'btlib\[int8\]'"):
        chosen_by(given, slices)


def test_it_reports_to_nobody_and_leaves_loggers_alone(given: Subject):
    before = logging.getLoggerClass()
    ENGINES[INT8].build(given)
    telemetry = sys.modules["nncf.telemetry.wrapper"].telemetry
    assert type(telemetry).__name__ == "MagicMock"
    assert "openvino_telemetry" not in sys.modules
    assert logging.getLoggerClass() is before
    assert not logging.getLogger("nncf").disabled
