from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from btlib import evaluate
from btlib.cases import Work, load_cases
from btlib.data.dataset import Dataset
from btlib.errors import CheckpointError
from btlib.protocol import Protocol
from btlib.splits import Split, slice_seed42
from btlib.thesis.models import VARIANTS, create, to_thesis_state_dict
from btlib.thesis.recipe import ThesisRecipe

Make = Callable[..., Dataset]


SPLIT = slice_seed42(12)


@pytest.fixture
def data(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(12)


@pytest.fixture
def make_work(tmp_path: Path, data: Dataset) -> Callable[..., Work]:
    def make(dataset: Dataset = data, split: Split = SPLIT, **more: object) -> Work:
        recipe = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=1, batch_size=8)
        usual = {"device": "cpu"} | more
        return Work.on(dataset, split, Protocol(image_size=32), recipe, 7, tmp_path / "checkpoints", **usual)

    return make


@pytest.mark.parametrize("name", list("ABCDEFG"))
def test_every_case_gives_what_it_declares(name: str, data: Dataset, make_work: Callable[..., Work]):
    case, work = load_cases()[name], make_work()
    prepared = case.prepare(work)
    table = evaluate(prepared.predictor, data.part(SPLIT.test)).samples
    assert (table.has_mask, table.has_classes) == (case.has_mask, case.has_classes)
    assert prepared.source == "trained"
    assert prepared.details["device"] == "cpu"
    assert prepared.details["training"]["ingredients"]["variant"] == name
    assert prepared.curves is not None
    assert prepared.curves.exists()
    assert case.prepare(work).source == "loaded"


def test_c_stands_on_a_trained_first_if_need_be(make_work: Callable[..., Work]):
    work = make_work()
    c = load_cases()["C"].prepare(work)
    a = load_cases()["A"].prepare(work)
    assert a.source == "loaded"
    assert c.details["training"]["ingredients"]["starts_from"] == a.fingerprint
    ours, theirs = c.predictor.model.state_dict(), a.predictor.model.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours if k.startswith("decoder."))


def test_from_scratch_is_noted(make_work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch):
    from btlib.thesis.models import pretrained

    monkeypatch.setattr(pretrained, "resolve_weights", lambda *_: ("none", ("trained from scratch: a loud note",)))
    assert load_cases()["B"].prepare(make_work()).notes == ("trained from scratch: a loud note",)


def test_a_training_step_leaves_the_predictor_alone(make_work: Callable[..., Work]):
    work = make_work()
    prepared = load_cases()["D"].prepare(work)
    images = np.ascontiguousarray(work.train.images[:2])
    before = prepared.predictor.predict(images)
    assert prepared.training_step is not None
    step = prepared.training_step(16)  # more than there are training samples
    step()
    step()
    after = prepared.predictor.predict(images)
    assert np.array_equal(before.mask_prob, after.mask_prob)
    assert np.array_equal(before.class_prob, after.class_prob)


def test_the_thesiss_own_checkpoints_are_used_where_asked(tmp_path: Path, make_work: Callable[..., Work]):
    torch.manual_seed(0)
    torch.save(to_thesis_state_dict(create("B")), tmp_path / "Model_B_classification_only.ckpt")
    prepared = load_cases()["B"].prepare(make_work(options={"thesis_checkpoints": tmp_path}))
    assert prepared.source == "file"
    assert prepared.details["checkpoint"] == "Model_B_classification_only.ckpt"
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    "change", [{"classes": ("glioma", "meningioma", "pituitary")}, {"structures": ("a", "b")}, {"channels": ("x", "y")}]
)
def test_they_are_refused_for_another_task(change: dict[str, object], tmp_path: Path, make_work: Callable[..., Work]):
    """Classes in another order would be the worst: every number would be wrong, and none would be missing."""
    work = make_work(options={"thesis_checkpoints": tmp_path})
    with pytest.raises(CheckpointError, match="the thesis's checkpoints are for the classes meningioma, glioma, "):
        load_cases()["B"].prepare(replace(work, task=work.task.model_copy(update=change)))


def test_the_cases_are_the_table_of_variants():
    cases = load_cases()
    assert list(cases)[:7] == list(VARIANTS) == list("ABCDEFG")
    assert [cases[name].metrics for name in "ABD"] == [("dice",), ("accuracy",), ("dice", "accuracy")]


def test_ranges_of_int8_come_from_training_samples_alone(make_work: Callable[..., Work], make_dataset: Make):
    """A sample's position is written into it, so that each can be told."""
    from btlib.engines.engine import CALIBRATION_SAMPLES
    from btlib.thesis.cases import _calibration

    for n in (12, 700):
        data, split = make_dataset(n, size=8), slice_seed42(n)
        data.images[:] = np.arange(n, dtype=np.float32)[:, None, None, None]
        images = _calibration(make_work(data, split))
        assert images.shape[1:] == (1, 8, 8)
        given = images[:, 0, 0, 0].astype(int)
        assert (np.diff(given) > 0).all(), "in the order of their ids, whatever that of the split"
        assert len(set(given.tolist())) == len(given) == min(CALIBRATION_SAMPLES, len(split.train))
        assert set(given.tolist()) <= set(split.train.tolist())
        assert given.max() - given.min() > 0.9 * n - 2


@pytest.mark.nightly
def test_a_case_can_be_run_in_int8(make_work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch):
    """The guard is let off: whether a net of one epoch passes it is chance."""
    import importlib

    monkeypatch.setattr(importlib.import_module("btlib.engines.choose"), "too_far", lambda told: None)
    work = make_work(engine="openvino-int8")
    details = load_cases()["D"].prepare(work).details
    assert (details["engine"], details["precision"]) == ("openvino-int8", "int8")
    assert details["training_precision"] in ("fp32", "bf16")  # what runs the model does not train it
    assert details["calibration_samples"] == len(work.train)
    assert list((work.checkpoints / "engines").glob("openvino-int8-*/program.xml"))
