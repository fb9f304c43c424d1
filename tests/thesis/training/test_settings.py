"""What a plan hands to Lightning and to the model, without a training."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from btlib import models
from btlib.adapters.state import StateFile
from btlib.splits import slice_seed42
from btlib.thesis.training import Fitted, Plan, initial
from btlib.thesis.training.batches import SampleBatches
from btlib.thesis.training.callbacks import Curves, KeepBest, KeepLast
from btlib.thesis.training.features import FeatureBatches
from btlib.thesis.training.fitting import fit
from btlib.thesis.training.initial import build
from btlib.thesis.training.plan import code_fingerprint

Make = Callable[..., Plan]
CPU = torch.device("cpu")
room: Any = sys.modules["btlib.thesis.training.fitting"]  # the package gives the function of this name


class Trainer:
    """In place of Lightning's: notes what it is given, and trains nothing."""

    last: "Trainer"

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        Trainer.last = self

    def fit(self, module: Any, train: Any, validation: Any, ckpt_path: str | None) -> None:
        self.module, self.train, self.validation, self.state = module, train, validation, ckpt_path
        for callback in self.settings["callbacks"]:
            if isinstance(callback, KeepBest):
                weights = {name: torch.full_like(value, 3) for name, value in module.model.state_dict().items()}
                callback.load_state_dict({"score": 1.0, "epoch": 2, "weights": weights})
            if isinstance(callback, Curves):
                callback.rows = [{"seconds": 1.5}, {"seconds": 2.0}]


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """No training; the contexts that one would run in, by what they were given."""
    found: dict[str, object] = {}

    def context(name: str) -> Callable[[object], Any]:
        @contextlib.contextmanager
        def inside(given: object) -> Iterator[None]:
            found[name] = given
            yield

        return inside

    for name in ("forked_rng", "fastest_kernels", "computing_in"):
        monkeypatch.setattr(room, name, context(name))
    monkeypatch.setattr(room, "pl", SimpleNamespace(Trainer=Trainer))
    monkeypatch.setattr(room, "build", lambda plan, start=None: build(plan, start))
    return found


def run(plan: Plan, place: Path, device: torch.device = CPU, **more: Any) -> Fitted:
    return fit(plan, place, device, report=print, **more)


def test_a_plan_decides_how_lightning_trains(make_plan: Make, tmp_path: Path, entered: dict[str, object]) -> None:
    plan = make_plan("D", epochs=5, batch_size=4, seed=9)
    plan = replace(plan, protocol=replace(plan.protocol, threshold=0.25))
    found = run(plan, tmp_path, progress_bars=True)
    trainer, module = Trainer.last, Trainer.last.module
    settings = trainer.settings
    assert settings.pop("logger") is not None
    curves, last = settings.pop("callbacks")
    assert isinstance(curves, Curves)
    assert isinstance(last, KeepLast)
    assert (curves.path, curves.epochs, last.file.path) == (tmp_path / "curves.csv", 5, tmp_path / "last.ckpt")
    assert settings == {
        "accelerator": "cpu",
        "devices": 1,
        "precision": "32-true",
        "max_epochs": 5,
        "default_root_dir": tmp_path,
        "enable_checkpointing": False,
        "enable_progress_bar": True,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    assert (module.seed, module.threshold, module.recipe, module.head_only) == (9, 0.25, plan.recipe, False)
    assert trainer.state is None
    train, validation = trainer.train.sampler, trainer.validation.sampler
    assert (train.n, train.batch_size, train.seed) == (len(plan.train), 4, 9)
    assert (validation.n, validation.batch_size) == (len(plan.val), 4)
    assert (train.epoch, validation.seed) == (0, None)
    for batches, samples in ((trainer.train.dataset, plan.train), (trainer.validation.dataset, plan.val)):
        assert isinstance(batches, SampleBatches)
        assert batches.samples is samples
    assert entered == {"forked_rng": CPU, "fastest_kernels": CPU, "computing_in": "fp32"}
    assert (found.seconds, found.resumed, found.device, found.precision, found.epoch) == (3.5, False, "cpu", "fp32", 5)
    assert not found.model.training


def test_on_a_gpu_it_trains_on_that_one_in_bf16(
    make_plan: Make, tmp_path: Path, entered: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "resolve_precision", lambda wanted, device: "bf16")
    monkeypatch.setattr(room, "batches_of", lambda *parts: tuple(SampleBatches(part) for part in parts[:2]))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    for name, index in (("cuda:1", 1), ("cuda:0", 0), ("cuda", 3)):
        found = run(make_plan(), tmp_path, torch.device(name))
        settings = Trainer.last.settings
        assert (settings["accelerator"], settings["devices"]) == ("gpu", [index])
        assert (settings["precision"], settings["enable_progress_bar"]) == ("bf16-mixed", False)
        assert (found.precision, found.device) == ("bf16", "cuda")
        assert entered["computing_in"] == "bf16"


def test_an_interrupted_training_goes_on_with_the_next_epoch(
    make_plan: Make, tmp_path: Path, entered: dict[str, object]
) -> None:
    left = StateFile(tmp_path / "last.ckpt")
    left.write(lambda path: torch.save({"epoch": 0, "meta": None}, path))  # the first was finished
    found = run(make_plan(epochs=5), tmp_path)
    assert found.resumed
    assert Trainer.last.state == str(tmp_path / "last.ckpt")
    assert Trainer.last.train.sampler.epoch == 1
    left.write(lambda path: torch.save({"epoch": 3, "meta": None}, path))
    run(make_plan(epochs=5), tmp_path)
    assert Trainer.last.train.sampler.epoch == 4


def test_the_best_epochs_weights_are_returned(make_plan: Make, tmp_path: Path, entered: dict[str, object]) -> None:
    found = run(make_plan("D", keep="best", epochs=5), tmp_path)
    kinds = [type(callback) for callback in Trainer.last.settings["callbacks"]]
    assert kinds == [Curves, KeepBest, KeepLast], "the state is written after all else is known"
    assert found.epoch == 2
    assert all((value == 3).all() for value in found.model.state_dict().values())


def test_a_head_is_trained_on_features(make_plan: Make, tmp_path: Path, entered: dict[str, object]) -> None:
    start = build(make_plan("A")).state_dict()
    for drifting, kind in ((False, FeatureBatches), (True, SampleBatches)):
        plan = make_plan("C", epochs=3, head_epochs=9, drifting_batch_norm=drifting)
        run(plan, tmp_path, start=start)
        assert type(Trainer.last.train.dataset) is kind
        assert type(Trainer.last.validation.dataset) is kind
        for found, samples in ((Trainer.last.train.dataset, plan.train), (Trainer.last.validation.dataset, plan.val)):
            at = np.arange(len(samples))
            assert found[at][2].tolist() == samples.labels.tolist()
        assert Trainer.last.module.head_only is not drifting
        assert Trainer.last.settings["max_epochs"] == 9
        assert Trainer.last.settings["callbacks"][0].epochs == 9


def test_validation_samples_may_be_none(make_plan: Make, tmp_path: Path, entered: dict[str, object]) -> None:
    plan = make_plan()
    run(replace(plan, val=plan.val.part(np.array([], int))), tmp_path)
    assert Trainer.last.validation is None


@pytest.mark.parametrize("start", [False, True])
def test_a_model_is_made_as_the_recipe_says(make_plan: Make, monkeypatch: pytest.MonkeyPatch, start: bool) -> None:
    plan = make_plan("C", weights="imagenet", drifting_batch_norm=True)
    create = Mock(side_effect=lambda variant, weights, **more: models.create(variant, None, **more))
    monkeypatch.setattr(initial, "create", create)
    build(plan, {} if start else None)
    weights = None if start else "imagenet"
    create.assert_called_once_with("C", weights, backbone="tiny", drifting_batch_norm=True, task=plan.train.task)


def test_encoder_and_decoder_are_taken_over_and_nothing_else(make_plan: Make) -> None:
    plan = make_plan("C")
    start = {name: torch.full_like(value, 7) for name, value in build(make_plan("G")).state_dict().items()}
    fresh, taken = build(plan).state_dict(), build(plan, start).state_dict()
    for name, value in taken.items():
        if name.startswith(("backbone.", "decoder.")):
            assert (value == 7).all(), name
        else:
            assert torch.equal(value, fresh[name]), name
    again = build(plan, start).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in taken.items()), "by the seed alone"
    other = build(replace(plan, seed=8), start).state_dict()
    assert not torch.equal(other["head.embed.weight"], taken["head.embed.weight"])


def test_every_part_of_a_split_and_of_the_protocol_counts_where_it_decides(
    make_plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, split = make_plan(n=60), slice_seed42(60)
    assert plan.split == split.fingerprint
    assert len(split.val) > 1
    for change in ({"val": split.val[::-1]}, {"val": split.val[1:]}, {"train": split.train[1:]}, {"name": "other"}):
        other = replace(plan, split=replace(split, **change).fingerprint)
        assert other.fingerprint != plan.fingerprint
    for keep, counts in (("last", False), ("best", True)):
        one = make_plan(keep=keep)
        two = replace(one, protocol=replace(one.protocol, threshold=0.25))
        assert (one.fingerprint != two.fingerprint) is counts, "it chooses the best epoch and nothing else"
    assert (plan.ingredients()["image_size"], plan.ingredients()["scaling"]) == (32, "thesis")
    monkeypatch.setattr(sys.modules[Plan.__module__], "PREPROCESSING", "another way")
    assert plan.ingredients()["preprocessing"] == "another way"


def test_the_code_of_models_and_training_and_what_they_compute_with_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_room: Any = sys.modules[Plan.__module__]
    seen = list[Path]()
    monkeypatch.setattr(plan_room, "fingerprint", SimpleNamespace(of_sources=lambda paths: seen.extend(paths)))
    code_fingerprint.__wrapped__()
    root = Path(plan_room.__file__).parents[2]
    rooms = [path for room in ("models", "training") for path in (root / "thesis" / room).glob("*.py")]
    more = ["speed/ieee.py", "adapters/devices.py", "adapters/compiling.py", "metrics/overlap.py"]
    assert len(rooms) > 10
    assert sorted(seen) == sorted([*rooms, *(root / name for name in more)])
    assert all(path.is_file() for path in seen)
