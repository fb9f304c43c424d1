"""The store around a training: locks, files that are whole or not there, and what is passed on. Nothing is trained."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from btlib import files, fingerprint
from btlib.data import load_dataset
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.data.task import Task
from btlib.errors import BtlibWarning, CheckpointError
from btlib.thesis.checkpoints import Store, find_stored, load_stored
from btlib.thesis.checkpoints import store as store_module
from btlib.thesis.checkpoints.files import SCHEMA, read_manifest, read_payload
from btlib.thesis.training import Fitted, Plan, fitting
from btlib.thesis.training.initial import build

CPU = torch.device("cpu")


@dataclass
class Training:
    """Stands for a training: an untrained model of the plan, and what it was called with.

    Attributes:
        calls: Arguments of each call by name.
        inside: Called with the workplace before it ends.
        resumed: What it says of itself.
    """

    calls: list[dict[str, Any]] = field(default_factory=list)
    inside: Callable[[Path], object] = lambda workplace: None
    resumed: bool = False

    def __call__(
        self,
        plan: Plan,
        workplace: Path,
        device: torch.device,
        start: Mapping[str, torch.Tensor] | None,
        report: Callable[[str], None],
        progress_bars: bool,
    ) -> Fitted:
        workplace.mkdir(exist_ok=True)
        found = sorted(path.name for path in workplace.iterdir())
        call = {"plan": plan, "device": device, "start": start, "live": progress_bars, "found": found}
        self.calls.append({**call, "workplace": workplace})
        (workplace / "curves.csv").write_text(f"epoch,train_loss\n1,{len(self.calls)}\n")
        report("epoch 1")
        self.inside(workplace)
        seed = replace(plan, seed=plan.seed + len(self.calls))  # another model each time
        return Fitted(build(seed, start).eval(), 12.5 * len(self.calls), self.resumed, "cpu", "fp32", 3)


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    found = Training()
    monkeypatch.setattr(fitting, "fit", found)
    return found


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(seed=9, epochs=3)


def tensors(model: torch.nn.Module) -> list[list[float]]:
    return [value.flatten().tolist() for value in model.state_dict().values()]


def kept(store: Store) -> list[str]:
    """Endings of the files that the store holds, hidden ones too."""
    return sorted(path.suffix for path in store.folder.iterdir() if path.is_file())


def lock_of(store: Store, plan: Plan) -> Path:
    return store.folder / "work" / f"{plan.variant}-{plan.fingerprint}.lock"


def test_what_is_stored_and_returned(store: Store, plan: Plan, training: Training, said: list[str]) -> None:
    first = store.train_or_load(plan)
    assert first.path == store.folder / f"A-{plan.fingerprint}.ckpt"
    assert (first.source, first.seconds) == ("trained", 12.5)
    manifest = files.read_sealed(first.path.with_suffix(".json"))
    assert manifest == first.manifest
    created = manifest.pop("created")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", created)
    assert manifest == {
        "schema": "btlib-checkpoint/1",
        "variant": "A",
        "fingerprint": plan.fingerprint,
        "ingredients": plan.ingredients(),
        "task": PHANTOM.model_dump(mode="json"),
        "sha256": fingerprint.of_file(first.path),
        "curves_sha256": fingerprint.of_file(first.path.with_suffix(".csv")),
        "seconds": 12.5,
        "trained_on": "cpu",
        "epoch": 3,
    }
    assert first.curves is not None
    assert first.curves.read_text() == "epoch,train_loss\n1,1\n"
    payload = torch.load(first.path, weights_only=True)
    assert (payload["variant"], payload["fingerprint"]) == ("A", plan.fingerprint)
    assert said == ["A, seed 9: epoch 1"]
    second = store.train_or_load(plan)
    assert (second.source, second.seconds, second.path) == ("loaded", 0.0, first.path)
    assert second.manifest == {**manifest, "created": created}
    assert tensors(second.model) == tensors(first.model)
    assert len(training.calls) == 1


def test_a_model_of_another_task_is_loaded_by_its_file_alone(store: Store, plan: Plan, training: Training) -> None:
    """Of four classes and two structures: the manifest says so, wherever the file lies."""
    task = Task(name="four", classes=tuple("abcd"), structures=("tumour", "core"), channels=("T1", "T2", "FLAIR"))
    source = PhantomSource(task.model_copy(update={"synthetic": True}), 6, size=32)
    samples = load_dataset(source, 32).part(np.arange(6))
    trained = store.train_or_load(replace(plan, variant="D", train=samples, val=samples))
    away = store.folder.parent / "away"
    away.mkdir()
    for path in (trained.path, trained.path.with_suffix(".json")):
        shutil.copy(path, away / path.name)
    loaded = load_stored(find_stored(away, "D"), "D")
    assert (loaded.task, loaded.source) == (source.task, "loaded")
    assert tensors(loaded.model) == tensors(trained.model)
    images = torch.from_numpy(np.array(samples.images))
    with torch.no_grad():
        outputs = [model(images) for model in (loaded.model, trained.model)]
    assert (outputs[0].mask_logits.shape, outputs[0].class_logits.shape) == ((6, 2, 32, 32), (6, 4))
    assert torch.equal(outputs[0].mask_logits, outputs[1].mask_logits)


def test_a_store_unless_said(tmp_path: Path) -> None:
    plain = Store(tmp_path, CPU)
    assert (plain.folder, plain.device, plain.report, plain.progress_bars) == (tmp_path, CPU, print, False)


def test_what_a_training_is_given(store: Store, plan: Plan, training: Training) -> None:
    start = dict(build(replace(plan, seed=77)).state_dict())
    calls = 0

    def starting() -> Mapping[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        return start

    lively = replace(store, device=torch.device("meta"), progress_bars=True)
    lively.train_or_load(plan, starting)
    store.train_or_load(replace(plan, seed=10))
    assert [call["start"] for call in training.calls] == [start, None]
    assert [call["device"] for call in training.calls] == [torch.device("meta"), CPU]
    assert [call["live"] for call in training.calls] == [True, False]
    assert [call["plan"].seed for call in training.calls] == [9, 10]
    assert len({call["workplace"] for call in training.calls}) == 2
    assert store.train_or_load(plan, starting).source == "loaded"
    assert calls == 1


def test_a_loaded_model_takes_no_pretrained_weights(
    store: Store, plan: Plan, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.train_or_load(plan)
    starts: list[object] = []

    def spy(plan: Plan, start: Mapping[str, torch.Tensor] | None = None) -> torch.nn.Module:
        starts.append(start)
        return build(plan, start)

    monkeypatch.setattr(store_module, "build", spy)
    loaded = store.train_or_load(plan)
    assert starts == [{}]
    assert not any(part.training for part in loaded.model.modules())


def test_a_plan_is_locked_while_it_is_trained_written_and_loaded(
    store: Store, plan: Plan, training: Training, monkeypatch: pytest.MonkeyPatch, is_locked: Callable[[Path], bool]
) -> None:
    seen: list[tuple[str, bool, bool]] = []
    other = replace(plan, seed=10)

    def watch(what: str) -> None:
        seen.append((what, is_locked(lock_of(store, plan)), is_locked(lock_of(store, other))))

    def watched(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any, **more: Any) -> Any:
            watch(what)
            return function(*args, **more)

        return inner

    training.inside = lambda workplace: watch("train")
    for name in ("read_manifest", "read_payload"):
        monkeypatch.setattr(store_module, name, watched(name, getattr(store_module, name)))
    monkeypatch.setattr(torch, "save", watched("save", torch.save))
    monkeypatch.setattr(files, "write_json", watched("manifest", files.write_json))
    monkeypatch.setattr(shutil, "rmtree", watched("clear", shutil.rmtree))
    store.train_or_load(plan)
    assert list(dict.fromkeys(what for what, *_ in seen)) == ["read_manifest", "train", "save", "manifest", "clear"]
    store.train_or_load(plan)
    assert [what for what, *_ in seen[-2:]] == ["read_manifest", "read_payload"]
    assert {(own, others) for _, own, others in seen} == {(True, False)}
    assert not is_locked(lock_of(store, plan))


def test_a_failed_training_gives_the_lock_back(
    store: Store, plan: Plan, training: Training, is_locked: Callable[[Path], bool]
) -> None:
    def fail(workplace: Path) -> None:
        raise ZeroDivisionError

    training.inside = fail
    with pytest.raises(ZeroDivisionError):
        store.train_or_load(plan)
    assert not is_locked(lock_of(store, plan))
    assert kept(store) == []


def test_a_training_may_start_from_one_of_the_same_store(store: Store, plan: Plan, training: Training) -> None:
    """As C does from A: each has a lock of its own."""
    before = replace(plan, seed=10)
    after = store.train_or_load(plan, lambda: store.train_or_load(before).model.state_dict())
    assert [call["plan"].seed for call in training.calls] == [10, 9]
    assert after.source == "trained"


WRITERS = {".ckpt": (torch, "save"), ".csv": (files, "write_text"), ".json": (files, "write_json")}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_writer_that_fails_half_way(
    suffix: str,
    store: Store,
    plan: Plan,
    training: Training,
    monkeypatch: pytest.MonkeyPatch,
    is_locked: Callable[[Path], bool],
) -> None:
    """The manifest comes last, no half of a file is left, and the training goes on from its state the next time."""

    def half(value: object, target: Path, *_: object) -> None:
        path, text = (target, "half") if suffix == ".ckpt" else (value, "half")
        assert isinstance(path, Path)
        if suffix == ".ckpt":
            path.write_text(text)
        raise OSError("disk full")

    training.inside = lambda workplace: (workplace / "last.ckpt").touch()
    with monkeypatch.context() as patch:
        patch.setattr(*WRITERS[suffix], half)
        with pytest.raises(OSError, match="disk full"):
            store.train_or_load(plan)
    assert kept(store) == [end for end in WRITERS if list(WRITERS).index(end) < list(WRITERS).index(suffix)]
    assert not is_locked(lock_of(store, plan))
    assert store.train_or_load(plan).source == "trained"
    assert training.calls[1]["found"] == ["curves.csv", "last.ckpt"]
    assert list((store.folder / "work").glob("*/")) == []
    assert kept(store) == [".ckpt", ".csv", ".json"]


def test_a_failed_retraining_leaves_the_old_checkpoint(
    store: Store, plan: Plan, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.train_or_load(plan)
    before = {path: path.read_bytes() for path in store.folder.iterdir() if path.is_file()}

    def half(value: object, target: Path) -> None:
        target.write_text("half")
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(OSError, match="disk full"):
            store.train_or_load(plan, retrain=True)
    assert {path: path.read_bytes() for path in store.folder.iterdir() if path.is_file()} == before
    assert tensors(store.train_or_load(plan).model) == tensors(first.model)


def test_retraining_replaces_model_manifest_and_state(
    store: Store, plan: Plan, training: Training, said: list[str]
) -> None:
    first = store.train_or_load(plan)
    left = store.folder / "work" / f"A-{plan.fingerprint}"
    left.mkdir()
    (left / "last.ckpt").touch()
    again = store.train_or_load(plan, retrain=True)
    assert training.calls[1]["found"] == []
    assert said == ["A, seed 9: epoch 1", "A, seed 9: trained again, as requested", "A, seed 9: epoch 1"]
    loaded = store.train_or_load(plan)
    assert (again.source, again.seconds, loaded.manifest["seconds"]) == ("trained", 25.0, 25.0)
    assert tensors(loaded.model) == tensors(again.model) != tensors(first.model)
    assert loaded.curves.read_text() == "epoch,train_loss\n1,2\n"
    assert len(training.calls) == 2


def test_a_state_that_is_left_is_taken_up_unless_asked(store: Store, plan: Plan, training: Training) -> None:
    left = store.folder / "work" / f"A-{plan.fingerprint}"
    left.mkdir(parents=True)
    (left / "last.ckpt").touch()
    training.resumed = True
    assert store.train_or_load(plan).source == "resumed"
    assert training.calls[0]["found"] == ["last.ckpt"]
    assert not left.exists()


@pytest.mark.parametrize("change", [{"variant": "B"}, {"seed": 10}])
def test_a_file_of_another_training_is_refused(
    change: dict[str, Any], store: Store, plan: Plan, training: Training, is_locked: Callable[[Path], bool]
) -> None:
    """Of another seed of the same variant too; it stays where it is."""
    other = replace(plan, **change)
    theirs = store.train_or_load(other).path
    for suffix in (".ckpt", ".json"):
        store.path(plan).with_suffix(suffix).write_bytes(theirs.with_suffix(suffix).read_bytes())
    with pytest.raises(CheckpointError) as caught:
        store.train_or_load(plan)
    assert caught.value.problem == (
        f"contains variant {other.variant} ({other.fingerprint}), expected variant A ({plan.fingerprint})"
    )
    assert caught.value.where == str(store.path(plan))
    assert store.path(plan).exists()
    assert not is_locked(lock_of(store, plan))


def test_weights_that_its_manifest_does_not_describe_are_set_aside(
    store: Store, plan: Plan, training: Training
) -> None:
    """Though they can be read and have the fingerprint."""
    path = store.train_or_load(plan).path
    payload = torch.load(path, weights_only=True)
    payload["state_dict"] = build(replace(plan, seed=77)).state_dict()
    torch.save(payload, path)
    damaged = path.read_bytes()
    with pytest.warns(BtlibWarning) as told:
        again = store.train_or_load(plan)
    assert [str(one.message) for one in told] == [
        f"{path}: damaged, it does not match its manifest; renamed to {path.stem}.damaged, trained again"
    ]
    assert again.source == "trained"
    assert path.with_suffix(".damaged").read_bytes() == damaged
    assert fingerprint.of_file(path) == again.manifest["sha256"]
    assert store.train_or_load(plan).source == "loaded"


def test_a_manifest_without_its_file_is_no_model(store: Store, plan: Plan, training: Training) -> None:
    path = store.train_or_load(plan).path
    path.unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        load_stored(path, "A")
    with pytest.raises(CheckpointError, match="contains no trained model of variant A"):
        find_stored(store.folder, "A")
    assert store.train_or_load(plan).source == "trained"


def test_the_nearest_stored_model_of_the_variant_is_told(
    store: Store, plan: Plan, training: Training, said: list[str]
) -> None:
    store.train_or_load(replace(plan, variant="B"))
    store.train_or_load(replace(plan, seed=10, recipe=replace(plan.recipe, epochs=4)))
    said.clear()
    store.train_or_load(plan)
    store.train_or_load(replace(plan, seed=10, recipe=replace(plan.recipe, epochs=5)))
    assert said == [
        "A, seed 9: no stored model matches; the most similar one differs in recipe.epochs, seed",
        "A, seed 9: epoch 1",
        "A, seed 10: no stored model matches; the most similar one differs in recipe.epochs",
        "A, seed 10: epoch 1",
    ]


@pytest.mark.parametrize("content", [b"{}", b'{"schema": "btlib-checkpoint/2"}'])
def test_a_manifest_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(content)
    assert read_manifest(tmp_path / "m.json") is None


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b'{"schema": "\xff"}', b"[]", b"null", b'"text"'),
        b'{"schema": "btlib-checkpoint/1", "digest": "x"}',
    ],
)
def test_a_manifest_that_cannot_be_read_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(content)
    with pytest.warns(BtlibWarning, match=r"m\.json: .*; the checkpoint next to it is not used"):
        assert read_manifest(tmp_path / "m.json") is None


def test_a_manifest(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "m.json") is None
    (tmp_path / "m.json").write_text(json.dumps({"schema": SCHEMA, "a": "ü"}), encoding="utf-8")
    assert read_manifest(tmp_path / "m.json") == {"schema": "btlib-checkpoint/1", "a": "ü"}


def test_what_a_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors on the CPU; no damage is called what is none, such as a lack of memory."""
    torch.save([torch.ones(1)], tmp_path / "list")
    torch.save({"a": torch.ones(1)}, tmp_path / "dict")
    assert read_payload(tmp_path / "list") is None
    assert read_payload(tmp_path / "nothing") is None
    assert read_payload(tmp_path / "dict") == {"a": torch.ones(1)}
    options: list[dict[str, object]] = []

    def no_memory(path: Path, **more: object) -> None:
        options.append(more)
        raise MemoryError

    monkeypatch.setattr(torch, "load", no_memory)
    with pytest.raises(MemoryError):
        read_payload(tmp_path / "dict")
    assert options == [{"map_location": "cpu", "weights_only": True}]
