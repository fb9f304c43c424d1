"""Training does what the plan says: on these slices, from this seed, to the last epoch, however often interrupted."""

import csv
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from btlib.adapters import state
from btlib.errors import BtlibWarning, ModelError
from btlib.thesis.models.network import ModelOutput
from btlib.thesis.training import Fitted, Plan, callbacks, fit
from btlib.thesis.training import batches as batches_room
from btlib.thesis.training import module as module_room
from btlib.thesis.training.batches import EpochOrder
from btlib.thesis.training.initial import build
from btlib.thesis.training.module import Trainee

Make = Callable[..., Plan]
CPU = torch.device("cpu")


def quietly(line: str) -> None:
    """Say nothing."""


def train(plan: Plan, place: Path, **more: object) -> Fitted:
    return fit(plan, place, CPU, report=quietly, **more)  # type: ignore[arg-type]


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in a.state_dict().items())


def curves(place: Path) -> list[dict[str, str]]:
    with (place / "curves.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


class StopError(Exception):
    """Thrown into a training."""


def stop_after(epoch: int) -> Callable[[str], None]:
    def report(line: str) -> None:
        if line.startswith(f"epoch {epoch} "):
            raise StopError

    return report


def test_the_seed_decides_the_weights(tmp_path: Path, make_plan: Make):
    torch.manual_seed(1)
    first = train(make_plan(), tmp_path / "1")
    torch.manual_seed(2)  # the state of torch's own generator does not matter, and is left as it was
    before = torch.random.get_rng_state()
    again = train(make_plan(), tmp_path / "2")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(first.model, again.model)
    assert not same(first.model, train(make_plan(seed=8), tmp_path / "3").model)
    assert not first.model.training


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(tmp_path: Path, make_plan: Make, schedule: str):
    plan = make_plan(schedule=schedule)
    whole = train(plan, tmp_path / "whole")
    for epoch in (2, 3):  # each stops before the state of its epoch is kept
        with pytest.raises(StopError):
            fit(plan, tmp_path / "cut", CPU, report=stop_after(epoch))
    resumed = train(plan, tmp_path / "cut")
    assert resumed.resumed
    assert not whole.resumed
    assert same(whole.model, resumed.model)
    assert curves(tmp_path / "whole") == curves(tmp_path / "cut")
    assert [row["epoch"] for row in curves(tmp_path / "cut")] == ["1", "2", "3"]


@pytest.mark.nightly
def test_a_killed_training_is_taken_up(tmp_path: Path, make_plan: Make):
    """Killed by the system, not by an exception: nothing gets a chance to clean up."""
    code = """
    import pickle, sys
    from pathlib import Path
    import torch
    from btlib.thesis.training import fit
    plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    fit(plan, Path(sys.argv[2]), torch.device("cpu"), report=lambda line: print(line, flush=True))
    """
    import pickle

    plan = make_plan(epochs=200)
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    args = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "plan"), str(tmp_path / "work")]
    child = subprocess.Popen(args, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("epoch 3 "):
            break
    child.send_signal(signal.SIGKILL)
    child.communicate()
    rows = len(curves(tmp_path / "work"))
    assert 3 <= rows < 200
    with pytest.raises(StopError):
        fit(plan, tmp_path / "work", CPU, report=stop_after(rows + 2))
    assert [int(row["epoch"]) for row in curves(tmp_path / "work")] == list(range(1, rows + 3))


def test_a_damaged_state_starts_again_and_says_so(tmp_path: Path, make_plan: Make):
    plan = make_plan()
    with pytest.raises(StopError):
        fit(plan, tmp_path / "cut", CPU, report=stop_after(2))
    last = tmp_path / "cut" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.warns(BtlibWarning, match=r"last\.ckpt: .* training starts again"):
        again = train(plan, tmp_path / "cut")
    assert not again.resumed
    assert same(again.model, train(plan, tmp_path / "whole").model)


def test_only_training_samples_train_and_only_validation_samples_validate(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch
):
    seen: dict[bool, list[str]] = {True: [], False: []}
    get = batches_room.SampleBatches.__getitem__

    def spy(self: batches_room.SampleBatches, at: np.ndarray) -> object:
        seen[torch.is_grad_enabled()] += self.samples.ids[at].tolist()
        return get(self, at)

    monkeypatch.setattr(batches_room.SampleBatches, "__getitem__", spy)
    plan = make_plan(epochs=2)
    train(plan, tmp_path)
    assert sorted(seen[True]) == sorted(plan.train.ids.tolist() * 2)
    assert sorted(seen[False]) == sorted(plan.val.ids.tolist() * 2)


@pytest.mark.parametrize("variant", ["A", "B", "D", "E", "F", "G"])
def test_every_part_learns_but_the_unused_auxiliary_head(tmp_path: Path, make_plan: Make, variant: str):
    plan = make_plan(variant, epochs=1)
    before, after = build(plan).state_dict(), train(plan, tmp_path).model.state_dict()
    still = {key.partition(".")[0] for key, value in before.items() if torch.equal(value, after[key])}
    assert still <= {"aux"}
    assert ("aux" in still) == any(key.startswith("aux.") for key in before)


@pytest.mark.parametrize("drifting", [False, True])
def test_c_trains_its_head_on_as_encoder_and_decoder(tmp_path: Path, make_plan: Make, drifting: bool):
    start = train(make_plan("A", epochs=1), tmp_path / "A").model.state_dict()
    plan = make_plan("C", epochs=2, drifting_batch_norm=drifting)
    after = train(plan, tmp_path / "C", start=start).model.state_dict()
    moved = {key for key, value in start.items() if key in after and not torch.equal(value, after[key])}
    assert all(key.startswith("backbone.") and key.rpartition(".")[2].startswith(("running", "num")) for key in moved)
    assert bool(moved) == drifting
    head = build(plan).state_dict()
    assert all(not torch.equal(head[key], after[key]) for key in head if key.startswith("head."))


def test_it_learns(tmp_path: Path, make_plan: Make):
    plan = make_plan("D", n=30, epochs=12, learning_rate=5e-3)
    train(plan, tmp_path)
    rows = curves(tmp_path)
    assert float(rows[-1]["train_loss"]) < 0.5 * float(rows[0]["train_loss"])
    assert float(rows[-1]["val_dice"]) > 0.6


def test_the_loss_is_least_where_the_output_is_the_truth(make_plan: Make):
    """Masks and labels of the batch, neither turned nor shifted: any other truth costs more."""
    plan = make_plan("D")
    images, masks, labels = batches_room.SampleBatches(plan.train)[np.arange(6)]
    masks[:, :, :, : masks.shape[3] // 2] = 0  # no mask is its own transpose now
    masks[:, :, 0, 1] = 1
    perfect = ModelOutput(40 * masks - 20, masks, 20 * torch.nn.functional.one_hot(labels, 3).float())
    module = Trainee(build(plan), plan.recipe, plan.seed, 0.65)
    right = module.loss(perfect, (images, masks, labels))
    assert float(right) < 1e-3
    for m, k in ((masks.mT, labels), (masks, (labels + 1) % 3), (masks, labels.roll(1)), (masks.roll(1, 0), labels)):
        assert float(module.loss(perfect, (images, m, k))) > 0.1


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch):
    plan = make_plan("B")
    images = np.array(plan.train.images)
    images[0] = np.nan
    plan = replace(plan, train=replace(plan.train, images=images))
    order = EpochOrder(len(plan.train), plan.recipe.batch_size, plan.seed)
    batch = next(i for i, at in enumerate(order, start=1) if 0 in at)
    for every in (1, 1000):  # looked at after each step, and at the epoch's end only
        monkeypatch.setattr(module_room, "LOOK_EVERY", every)
        with pytest.raises(
            ModelError, match=rf"variant B: the loss became nan in epoch 1, batch {batch}\n.*learning rate"
        ):
            train(plan, tmp_path / str(every))


def test_the_logged_loss_is_the_mean_over_samples(tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch):
    """The last batch is short: a mean over batches would weigh its samples more."""
    said: list[tuple[float, int]] = []
    loss = Trainee.loss

    def spy(self: Trainee, output: ModelOutput, batch: batches_room.Batch) -> torch.Tensor:
        value = loss(self, output, batch)
        if torch.is_grad_enabled():
            said.append((value.item(), len(batch[0])))
        return value

    monkeypatch.setattr(Trainee, "loss", spy)
    plan = make_plan("B", epochs=1)
    assert len(plan.train) % plan.recipe.batch_size
    train(plan, tmp_path)
    mean = sum(value * n for value, n in said) / sum(n for _, n in said)
    assert float(curves(tmp_path)[0]["train_loss"]) == pytest.approx(mean, rel=1e-5)


def test_writing_the_state_costs_a_twentieth_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A clock that the test moves: writing takes 1 s, epochs take 6 s, so every fourth is written."""
    now, wrote = [0.0], []

    class Trainer:
        def save_checkpoint(self, path: Path) -> None:
            now[0] += 1.0
            path.write_text("")
            wrote.append(now[0])

    monkeypatch.setattr(state.time, "perf_counter", lambda: now[0])
    keep = callbacks.KeepLast(state.StateFile(tmp_path / "last.ckpt"))
    for _ in range(12):
        now[0] += 6.0
        keep.on_train_epoch_end(Trainer(), None)  # type: ignore[arg-type]
    assert len(wrote) == 3
    assert sum(1.0 for _ in wrote[1:]) <= (now[0] - wrote[0]) / 20 + 1


def test_the_optimiser_is_adam(make_plan: Make):
    """Fused or not, the step is that of the paper: by the learning rate at first."""
    model = build(make_plan("D", learning_rate=0.01))
    optimizer = module_room.adam(model, make_plan("D", learning_rate=0.01).recipe)
    before = [p.detach().clone() for p in model.parameters()]
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    for old, new in zip(before, model.parameters(), strict=True):
        assert torch.allclose(old - new, torch.tensor(0.01), atol=1e-6)


def test_ctrl_c_stops_the_run_and_keeps_what_is_done(tmp_path: Path, make_plan: Make):
    def interrupt(line: str) -> None:
        if line.startswith("epoch 2 "):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # let the handler run

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
    with pytest.raises(KeyboardInterrupt):
        fit(make_plan(epochs=50), tmp_path, CPU, report=interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(curves(tmp_path)) < 50
    assert (tmp_path / "last.ckpt").exists()


def test_validation_may_be_empty(tmp_path: Path, make_plan: Make):
    plan = make_plan("A", n=9, epochs=1)
    assert len(plan.val) == 0
    train(plan, tmp_path)
    assert curves(tmp_path)[0]["val_dice"] == ""


@pytest.fixture
def second_is_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation scores of four epochs, whatever was learnt: Dice alone is best in the first, accuracy in the third."""
    scores = ((0.9, 0.1), (0.8, 0.6), (0.1, 0.9), (0.4, 0.2))

    def validate(self: Trainee, batch: batches_room.Batch, index: int) -> None:
        for name, value in zip(("val_dice", "val_accuracy"), scores[self.current_epoch], strict=True):
            self.log(name, value, batch_size=len(batch[0]))

    monkeypatch.setattr(Trainee, "validation_step", validate)


@pytest.mark.usefixtures("second_is_best")
def test_the_best_epoch_is_kept(tmp_path: Path, make_plan: Make):
    """Its weights are those of a constant schedule stopped at that epoch."""
    found = train(make_plan("D", keep="best", schedule="constant", epochs=4), tmp_path / "best")
    assert found.epoch == 2
    assert len(curves(tmp_path / "best")) == 4
    stopped = train(make_plan("D", schedule="constant", epochs=2), tmp_path / "stopped")
    assert same(found.model, stopped.model)
    assert stopped.epoch == 2


@pytest.mark.usefixtures("second_is_best")
def test_the_best_epoch_survives_a_resume(tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch):
    """It was trained before the interruption, and none of those after it is as good."""
    monkeypatch.setattr(state, "_CHEAP", float("inf"))  # no epoch's state is passed over
    plan = make_plan("D", keep="best", augment=True, epochs=4)
    whole = train(plan, tmp_path / "whole")
    with pytest.raises(StopError):
        fit(plan, tmp_path / "cut", CPU, report=stop_after(4))
    resumed = train(plan, tmp_path / "cut")
    assert resumed.resumed
    assert resumed.epoch == whole.epoch == 2
    assert same(whole.model, resumed.model)


def test_the_best_epoch_needs_validation_samples(tmp_path: Path, make_plan: Make):
    plan = make_plan(keep="best")
    nothing = replace(plan, val=plan.val.part(np.array([], int)))
    message = "recipe test keeps the best epoch, but the split slice-seed42 has no validation samples"
    with pytest.raises(ModelError, match=message):
        train(nothing, tmp_path)


def test_augmentation_reaches_the_training_and_not_the_validation(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch
):
    seen: list[tuple[bool, int]] = []
    change = module_room.augmented

    def spy(images: torch.Tensor, masks: torch.Tensor, rng: torch.Generator) -> object:
        seen.append((torch.is_grad_enabled(), len(images)))
        return change(images, masks, rng)

    monkeypatch.setattr(module_room, "augmented", spy)
    plan = make_plan("A", augment=True, epochs=2)
    found = train(plan, tmp_path / "augmented")
    assert sum(n for _, n in seen) == 2 * len(plan.train)
    assert all(training for training, _ in seen)
    assert not same(found.model, train(make_plan("A", epochs=2), tmp_path / "plain").model)
