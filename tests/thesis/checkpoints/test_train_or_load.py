"""Train or load: what is stored is used exactly where it fits, and nothing damaged or foreign is."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from btlib.errors import BtlibWarning, CheckpointError
from btlib.thesis.checkpoints import Store, load_thesis_checkpoint
from btlib.thesis.models import create, to_thesis_state_dict
from btlib.thesis.training import Plan

CPU = torch.device("cpu")


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(seed=7, epochs=1)


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def longer(plan: Plan) -> Plan:
    return replace(plan, recipe=replace(plan.recipe, epochs=3))


def interrupt(store: Store, plan: Plan, *, retrain: bool = False) -> None:
    """Begin a training and stop it in its second epoch."""

    def stop(line: str) -> None:
        if "epoch 2 " in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Store(store.folder, CPU, stop).train_or_load(plan, retrain=retrain)


def test_trained_once_then_loaded(store: Store, plan: Plan):
    first, second = store.train_or_load(plan), store.train_or_load(plan)
    assert (first.source, second.source) == ("trained", "loaded")
    assert first.seconds > 0 == second.seconds
    assert not second.model.training
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)
    assert first.path == second.path == store.path(plan)
    assert second.curves.read_text().startswith("epoch,train_loss")
    assert second.manifest["ingredients"] == plan.ingredients()
    assert sorted(p.suffix for p in store.folder.iterdir() if p.is_file()) == [".ckpt", ".csv", ".json"]


def test_another_plan_is_trained_and_the_difference_named(store: Store, plan: Plan, said: list[str]):
    store.train_or_load(plan)
    other = replace(plan, recipe=replace(plan.recipe, learning_rate=5e-4))
    assert store.train_or_load(other).source == "trained"
    assert "A, seed 7: no stored model matches; the most similar one differs in recipe.learning_rate" in said
    assert store.train_or_load(plan).source == "loaded"


def test_retrain_trains(store: Store, plan: Plan, said: list[str]):
    store.train_or_load(plan)
    assert store.train_or_load(plan, retrain=True).source == "trained"
    assert "A, seed 7: trained again, as requested" in said


def test_retraining_starts_from_nothing(store: Store, plan: Plan):
    """Though an interrupted training of the same plan left its state."""
    plan = longer(plan)
    for retrain in (False, True):
        interrupt(store, plan, retrain=retrain)
    shutil.rmtree(store.folder / "work" / store.path(plan).stem)
    interrupt(store, plan)
    assert store.train_or_load(plan, retrain=True).source == "trained"


def test_a_state_that_cannot_be_cleared_away(store: Store, plan: Plan, tmp_path: Path):
    """Such as a link to another disk: kept, it costs no trained model, and a retraining does not go on with it."""
    plan = longer(plan)
    interrupt(store, plan)
    state = store.folder / "work" / store.path(plan).stem
    state.rename(tmp_path / "scratch")
    state.symlink_to(tmp_path / "scratch")
    with pytest.raises(OSError, match="symbolic link"):
        store.train_or_load(plan, retrain=True)
    assert store.train_or_load(plan).source == "resumed"
    assert store.train_or_load(plan).source == "loaded"


def test_an_interrupted_training_is_resumed(store: Store, plan: Plan, tmp_path: Path):
    plan = longer(plan)
    interrupt(store, plan)
    assert not store.path(plan).exists()
    assert store.train_or_load(plan).source == "resumed"
    assert store.train_or_load(plan).source == "loaded"
    assert not (store.folder / "work" / store.path(plan).stem).exists()


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "one bit"])
def test_a_damaged_checkpoint_is_set_aside_and_trained_anew(store: Store, plan: Plan, damage: str):
    good = tensors(store.train_or_load(plan).path)
    path = store.path(plan)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes({"truncated": whole[:999], "empty": b"", "text": b"lost", "one bit": bytes(flipped)}[damage])
    with pytest.warns(BtlibWarning, match=r"A-[0-9a-f]+\.ckpt: damaged"):
        again = store.train_or_load(plan)
    assert again.source == "trained"
    assert path.with_suffix(".damaged").exists()
    assert all(torch.equal(value, good[key]) for key, value in tensors(path).items())


def test_without_its_manifest_a_checkpoint_was_never_finished(store: Store, plan: Plan):
    store.train_or_load(plan)
    store.path(plan).with_suffix(".json").unlink()
    assert store.train_or_load(plan).source == "trained"


@pytest.mark.parametrize("text", ["{", "{}", json.dumps({"schema": "btlib-checkpoint/0"})])
def test_a_manifest_of_another_kind_is_not_trusted(store: Store, plan: Plan, text: str):
    import warnings

    store.train_or_load(plan)
    store.path(plan).with_suffix(".json").write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BtlibWarning)
        assert store.train_or_load(plan).source == "trained"


def test_a_checkpoint_of_another_variant_is_refused(store: Store, plan: Plan):
    other = replace(plan, variant="B")
    store.train_or_load(plan)
    store.train_or_load(other)
    for suffix in (".ckpt", ".json"):
        store.path(plan).with_suffix(suffix).write_bytes(store.path(other).with_suffix(suffix).read_bytes())
    with pytest.raises(CheckpointError, match=r"A-\w+\.ckpt: contains variant B \(\w+\), expected variant A") as caught:
        store.train_or_load(plan)
    assert "remove it" in str(caught.value.hint)


@pytest.mark.parametrize("variant", ["A", "D"])
def test_a_file_of_the_thesis_is_loaded_under_its_own_names(tmp_path: Path, variant: str):
    torch.manual_seed(0)
    model = create(variant)
    name = {"A": "Model_A_segmentation_only.ckpt", "D": "Model_D_whatever.ckpt"}[variant]
    torch.save({"state_dict": to_thesis_state_dict(model)}, tmp_path / name)
    loaded, path = load_thesis_checkpoint(variant, tmp_path)
    assert path == tmp_path / name
    ours, theirs = model.state_dict(), loaded.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)
    assert not loaded.training


def test_a_thesis_file_of_another_variant_is_named(tmp_path: Path):
    torch.manual_seed(0)
    torch.save(to_thesis_state_dict(create("E")), tmp_path / "Model_A_segmentation_only.ckpt")
    with pytest.raises(CheckpointError, match=r"Model_A_segmentation_only\.ckpt: (.|\n)*those of variant E"):
        load_thesis_checkpoint("A", tmp_path)


def test_a_thesis_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"expected one file Model_B_classification_only\.ckpt, found 0"):
        load_thesis_checkpoint("B", tmp_path)


def test_a_thesis_file_that_runs_code_is_not_run(tmp_path: Path):
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"state_dict": Trap()}, tmp_path / "Model_B_classification_only.ckpt")
    with pytest.raises(CheckpointError, match="cannot be read as a file of plain tensors"):
        load_thesis_checkpoint("B", tmp_path)
    assert not (tmp_path / "sprung").exists()
