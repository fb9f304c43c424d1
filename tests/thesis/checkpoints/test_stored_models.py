"""Models read by their file alone: of a store, and the thesis's own."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from btlib import fingerprint
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.data.task import Task
from btlib.errors import BtlibWarning, CheckpointError
from btlib.thesis.checkpoints import find_stored, load_stored, load_thesis_checkpoint, thesis, trained
from btlib.thesis.checkpoints.files import SCHEMA
from btlib.thesis.models import create
from btlib.thesis.models.variants import VARIANTS

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a checkpoint of a store, with a manifest that fits it but for what is given."""

    def make(
        name: str, variant: str = "A", seed: int = 9, drifting: bool = False, of: Task = FIGSHARE, **manifest: Any
    ) -> Path:
        path = tmp_path / f"{name}.ckpt"
        torch.manual_seed(seed)
        model = create(variant, backbone="tiny", drifting_batch_norm=drifting, task=of)
        torch.save({"state_dict": model.state_dict()}, path)
        recipe = {"name": "test", "epochs": 3, "backbone": "tiny", "drifting_batch_norm": drifting}
        usual = {
            "schema": SCHEMA,
            "variant": variant,
            "sha256": fingerprint.of_file(path),
            "ingredients": {"recipe": recipe, "seed": seed, "image_size": 32},
        }
        path.with_suffix(".json").write_text(json.dumps(usual | manifest))
        return path

    return make


def test_a_model_of_a_store(write: Write) -> None:
    path = write("A-1")
    found = load_stored(path, "A")
    assert (found.source, found.seconds, found.path) == ("loaded", 0.0, path)
    with pytest.warns(BtlibWarning, match=r"A-1\.csv: damaged or missing, so the run has no learning curves"):
        assert found.curves is None
    path.with_suffix(".csv").write_text("epoch\n1\n")
    assert found.curves == path.with_suffix(".csv")
    assert found.manifest == json.loads(path.with_suffix(".json").read_text())
    assert not any(part.training for part in found.model.modules())
    stored = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(value, stored[name]) for name, value in found.model.state_dict().items())


@pytest.mark.parametrize("drifting", [False, True])
def test_it_is_built_as_it_was_trained(drifting: bool, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[Any, ...]] = []

    def spy(*args: Any, **more: Any) -> torch.nn.Module:
        built.append((args, more))
        return create(*args, **more)

    monkeypatch.setattr(trained, "create", spy)
    load_stored(write("C-1", "C", drifting=drifting), "C")
    assert built == [(("C",), {"backbone": "tiny", "drifting_batch_norm": drifting, "task": FIGSHARE})]


FOUR = Task(name="four", classes=tuple("abcd"), structures=("tumour", "core"), channels=("T1", "T2", "FLAIR"))


@pytest.mark.parametrize("variant", ["D", "E", "F", "G"])
def test_it_is_built_for_the_task_of_its_manifest(variant: str, write: Write) -> None:
    """A model of four classes and two structures by its file alone."""
    path = write(f"{variant}-1", variant, of=FOUR, task=FOUR.model_dump(mode="json"))
    found = load_stored(path, variant)
    assert found.task == FOUR
    with torch.no_grad():
        output = found.model(torch.rand(2, 3, 32, 32))
    assert output.mask_logits is not None
    assert output.class_logits is not None
    assert (output.mask_logits.shape, output.class_logits.shape) == ((2, 2, 32, 32), (2, 4))
    stored = torch.load(path, weights_only=True)["state_dict"]
    assert all(torch.equal(value, stored[name]) for name, value in found.model.state_dict().items())


def test_a_model_of_another_task_than_its_manifest_says(write: Write) -> None:
    for said in ({}, {"task": PHANTOM.model_dump(mode="json")}):
        with pytest.raises(CheckpointError, match="does not fit the current code of the variant"):
            load_stored(write("D-1", "D", of=FOUR, **said), "D")
    assert load_stored(write("D-2", "D"), "D").task == FIGSHARE, "older manifests name none"


def lose_manifest(path: Path) -> None:
    path.with_suffix(".json").unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def replace_weights(path: Path) -> None:
    """By others that can be read."""
    torch.manual_seed(77)
    torch.save({"state_dict": create("A", backbone="tiny").state_dict()}, path)


@pytest.mark.parametrize("damage", [Path.unlink, lose_manifest, cut, replace_weights])
def test_a_file_that_is_not_what_its_manifest_says(damage: Callable[[Path], None], write: Write) -> None:
    path = write("A-1")
    damage(path)
    with pytest.raises(CheckpointError) as caught:
        load_stored(path, "A")
    assert caught.value.problem == "is missing, is damaged, or has no manifest (.json) next to it"
    assert caught.value.where == str(path)


def test_a_file_of_another_variant(write: Write) -> None:
    path = write("A-1", "B")
    with pytest.raises(CheckpointError) as caught:
        load_stored(path, "A")
    assert (caught.value.problem, caught.value.where) == ("contains variant B, expected A", str(path))


def test_a_file_of_yesterdays_variant(write: Write) -> None:
    path = write("A-1")
    payload = torch.load(path, weights_only=True)
    payload["state_dict"].popitem()
    torch.save(payload, path)
    manifest = json.loads(path.with_suffix(".json").read_text()) | {"sha256": fingerprint.of_file(path)}
    path.with_suffix(".json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"A-1\.ckpt: does not fit the current code of the variant") as caught:
        load_stored(path, "A")
    assert caught.value.hint == "train it again"


def test_the_one_model_of_a_variant(write: Write, tmp_path: Path) -> None:
    """Neither another variant's, nor a manifest without its file, nor one that is none."""
    wanted = write("A-5")
    write("B-1", "B")
    write("A-1").unlink()
    write("A-2", schema="btlib-checkpoint/0")
    assert find_stored(tmp_path, "A") == wanted


def test_two_models_are_too_many(write: Write, tmp_path: Path) -> None:
    for name in ("A-1", "A-2"):
        write(name)
    with pytest.raises(CheckpointError, match="contains 2 trained models of variant A"):
        find_stored(tmp_path, "A")


def test_no_model_of_a_variant(write: Write, tmp_path: Path) -> None:
    write("B-1", "B")
    with pytest.raises(CheckpointError) as caught:
        find_stored(tmp_path, "A")
    assert (caught.value.problem, caught.value.where) == ("contains no trained model of variant A", str(tmp_path))
    assert str(caught.value.hint).endswith("-k smoke-A")


def test_several_models_of_a_variant_are_listed(write: Write, tmp_path: Path) -> None:
    """In the order of their names, whatever the disk's."""
    paths = [write(f"A-{i}", seed=seed) for i, seed in ((3, 8), (1, 10), (2, 9))]
    with pytest.raises(CheckpointError) as caught:
        find_stored(tmp_path, "A")
    assert caught.value.problem.splitlines() == [
        "contains 3 trained models of variant A:",
        f"  {paths[1]} (recipe test, 3 epochs, 32 px, seed 10)",
        f"  {paths[2]} (recipe test, 3 epochs, 32 px, seed 9)",
        f"  {paths[0]} (recipe test, 3 epochs, 32 px, seed 8)",
    ]


def test_both_ways_of_c_are_listed_by_their_names(write: Write, tmp_path: Path) -> None:
    paths = [write(f"C-{drifting}", "C", drifting=drifting) for drifting in (False, True)]
    with pytest.raises(CheckpointError) as caught:
        find_stored(tmp_path, "C")
    assert caught.value.problem.splitlines()[1:] == [
        f"  {path} (recipe test, {way} batch norm, 3 epochs, 32 px, seed 9)"
        for path, way in zip(paths, ("frozen", "drifting"), strict=True)
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_thesis_s_file_of_each_variant(variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of its name, among those of all; several are refused."""
    monkeypatch.setattr(thesis, "load_thesis_state_dict", lambda *args: SimpleNamespace(args=args))
    names = {name: (VARIANTS[name].thesis_file or f"Model_{name}_x.ckpt") for name in VARIANTS}
    for name, file in names.items():
        torch.save({"is": name}, tmp_path / file)
    model = SimpleNamespace(args=(variant, {"is": variant}), drifting_batch_norm=variant == "C")
    expected = (model, tmp_path / names[variant])
    load: Callable[..., Any] = load_thesis_checkpoint
    assert load(variant, tmp_path) == expected
    torch.save({}, tmp_path / f"Model_{variant}_y.ckpt")
    if VARIANTS[variant].thesis_file is not None:
        assert load(variant, tmp_path) == expected
    else:
        with pytest.raises(CheckpointError) as caught:
            load_thesis_checkpoint(variant, tmp_path)
        assert caught.value.problem == f"expected one file Model_{variant}_*.ckpt, found 2"
        assert caught.value.where == str(tmp_path)


def test_what_does_not_fit_is_told_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise CheckpointError("no fit", where="variant B", hint="give another")

    monkeypatch.setattr(thesis, "load_thesis_state_dict", refuse)
    path = tmp_path / "Model_B_classification_only.ckpt"
    torch.save({}, path)
    with pytest.raises(CheckpointError) as caught:
        load_thesis_checkpoint("B", tmp_path)
    assert (caught.value.problem, caught.value.where, caught.value.hint) == ("no fit", str(path), "give another")


@pytest.mark.parametrize(
    "change",
    [
        {"ingredients": None},
        {"ingredients": {}},
        {"ingredients": {"recipe": [], "seed": 9, "image_size": 32}},
        {"ingredients": {"recipe": {"name": "test"}, "seed": 9, "image_size": 32}},
        {"sha256": None},
        *({"task": task} for task in (None, 7, {}, {"name": "t"}, {"name": "t", "classes": ["a"], "colour": "red"})),
    ],
)
def test_a_manifest_that_does_not_tell_enough_blocks_no_other_model(write: Write, change: dict[str, Any]) -> None:
    """One without a digest, as older versions wrote it, may have been edited."""
    bad, good = write("A-1", **change), write("A-2")
    assert find_stored(good.parent, "A") == good
    with pytest.raises(CheckpointError, match="damaged"):
        load_stored(bad, "A")


def test_curves_that_are_not_those_of_the_training_are_left_out(write: Write) -> None:
    path = write("A-1", curves_sha256=fingerprint.of(1))
    path.with_suffix(".csv").write_text("epoch\n1\n")
    with pytest.warns(BtlibWarning, match="damaged or missing"):
        assert load_stored(path, "A").curves is None
