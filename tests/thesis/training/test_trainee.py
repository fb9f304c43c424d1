"""What a step of the training does: seeds by epoch, the recipe's weights of the losses, scores, learning rates."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor

from btlib.thesis.models import losses
from btlib.thesis.models.network import ModelOutput
from btlib.thesis.training import Plan
from btlib.thesis.training import module as room
from btlib.thesis.training import step as step_room
from btlib.thesis.training.batches import EpochOrder, SampleBatches, loader
from btlib.thesis.training.initial import build
from btlib.thesis.training.module import Trainee, adam, cosine
from btlib.thesis.training.step import bare_step

Make = Callable[..., Plan]
CPU = torch.device("cpu")


def trainee(plan: Plan, threshold: float = 0.65) -> Trainee:
    return Trainee(build(plan), plan.recipe, plan.seed, threshold, head_only=plan.head_only)


def test_each_epoch_has_a_dropout_and_an_augmentation_of_its_own(
    make_plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decided by seed and epoch alone, so that a resumed training draws the same."""
    now = [0]
    monkeypatch.setattr(Trainee, "current_epoch", property(lambda self: now[0]))
    batch = (torch.zeros(2, 1, 32, 32), torch.zeros(2, 1, 32, 32), torch.zeros(2, dtype=torch.int64))
    drawn: dict[tuple[int, int], list[list[float]]] = {}
    for seed in (7, 8):
        module = trainee(make_plan(seed=seed, augment=True))
        for epoch in (0, 1, 2, 1):
            now[0] = epoch
            module.on_train_batch_start(batch, 0)
            first = [*torch.rand(2).tolist(), *torch.rand(2, generator=module._rng).tolist()]
            module.on_train_batch_start(batch, 1)  # which goes on where the first batch ended
            second = [*torch.rand(2).tolist(), *torch.rand(2, generator=module._rng).tolist()]
            assert all(a != b for a, b in zip(first, second, strict=True))
            drawn.setdefault((seed, epoch), []).append(first + second)
    assert drawn[7, 1][0] == drawn[7, 1][1]
    assert drawn[8, 1][0] == drawn[8, 1][1]
    for kind in range(8):
        assert len({found[0][kind] for found in drawn.values()}) == 6, "each seed and epoch has its own"


def test_an_epoch_begins_without_the_losses_of_the_one_before(make_plan: Make) -> None:
    module = trainee(make_plan())
    batch = (torch.zeros(3, 1, 32, 32), torch.zeros(3, 1, 32, 32), torch.zeros(3, dtype=torch.int64))
    module._losses, module._sizes = [torch.tensor(9.0)], [1]
    module.on_train_batch_start(batch, 1)
    assert module._sizes == [1]
    module.on_train_batch_start(batch, 0)
    assert (module._losses, module._sizes) == ([], [])
    module._losses, module._sizes = [torch.tensor(1.0), torch.tensor(4.0)], [3, 1]
    assert module.mean_loss() == 1.75


@pytest.mark.parametrize(
    ("variant", "augment", "changed"), [("D", True, True), ("D", False, False), ("C", True, False)]
)
def test_samples_are_augmented_where_the_recipe_says_so(
    make_plan: Make, monkeypatch: pytest.MonkeyPatch, variant: str, augment: bool, changed: bool
) -> None:
    plan, loss_of = make_plan(variant, augment=augment), Mock(return_value=torch.tensor(1.0))
    monkeypatch.setattr(room, "augmented", lambda images, masks, rng: (images + 1, masks + 2))
    module = trainee(plan)
    monkeypatch.setattr(module, "_loss_of", loss_of)
    batch = (torch.zeros(2, 1, 4, 6), torch.zeros(2, 1, 4, 6), torch.tensor([2, 0]))
    module.on_train_batch_start(batch, 0)
    module.training_step(batch, 0)
    images, masks, labels = loss_of.call_args.args
    assert (images == changed).all()
    assert (masks == 2 * changed).all()
    assert labels.tolist() == [2, 0]
    assert module._sizes == [2]


@pytest.mark.parametrize("variant", ["A", "B", "D", "G"])
def test_both_losses_have_the_recipes_weights(make_plan: Make, monkeypatch: pytest.MonkeyPatch, variant: str) -> None:
    monkeypatch.setattr(losses, "segmentation_loss", lambda output, masks: 2.0 * masks)
    monkeypatch.setattr(losses, "classification_loss", lambda output, labels: 3.0 * labels)
    module = trainee(make_plan(variant, seg_weight=0.5, cls_weight=0.25))
    batch: Any = (None, 10.0, 100.0)
    output: Any = None
    assert module.loss(output, batch) == {"A": 20.0, "B": 300.0}.get(variant, 0.5 * 20.0 + 0.25 * 300.0)


def test_validation_scores_are_of_masks_above_the_threshold_and_of_the_likeliest_class(
    make_plan: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan("D")
    logged: dict[str, tuple[float, int]] = {}
    module = trainee(plan, threshold=0.5)
    monkeypatch.setattr(module, "log", lambda name, value, batch_size, **_: logged.update({name: (value, batch_size)}))
    prob = torch.zeros(4, 1, 2, 3)
    prob[0, 0, 0] = torch.tensor([0.75, 0.5, 0.875])  # a probability at the threshold is no tumour
    prob[1, 0, 1] = torch.tensor([0.75, 0.25, 0.25])
    truth = torch.zeros(4, 1, 2, 3)
    truth[0, 0, 0, :2] = 1  # overlap 1 of 2 and 2
    truth[1, 0, 1, 0] = 1  # the same
    truth[2, 0, 0, 0] = 1  # missed; the fourth is empty and stays so
    logits = torch.tensor([[3.0, 1, 2], [0, 5, 1], [0, 0, 7], [9, 1, 1]])
    output = ModelOutput(prob, prob, logits)
    monkeypatch.setattr(module, "output", lambda images: output)
    monkeypatch.setattr(module, "loss", lambda found, batch: 0.25)
    module.validation_step((torch.zeros(4, 1, 2, 3), truth, torch.tensor([0, 1, 2, 1])), 0)
    assert logged["val_loss"] == (0.25, 4)
    assert logged["val_dice"][0] == pytest.approx((0.5 + 1 + 0 + 1) / 4, abs=1e-5)
    assert float(logged["val_accuracy"][0]) == 0.75
    assert {n for _, n in logged.values()} == {4}


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 0.25), (1, 0.5), (3, 1.0), (4, 1.0), (8, 0.5), (6, 0.5 + 0.5 * 0.5**0.5), (12, 0.0), (13, 0.0), (40, 0.0)],
)
def test_the_learning_rate_warms_up_and_falls_to_zero(step: int, factor: float) -> None:
    assert cosine(step, 4, 12) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize(("total", "epochs", "warm_up"), [(12, 3, 4), (13, 3, 4), (2, 5, 1)])
def test_one_epoch_warms_up(make_plan: Make, total: int, epochs: int, warm_up: int) -> None:
    plan = make_plan(learning_rate=0.5)
    module = trainee(plan)
    module._trainer = SimpleNamespace(estimated_stepping_batches=total, max_epochs=epochs)  # type: ignore[assignment]
    found = module.configure_optimizers()
    assert found["lr_scheduler"]["interval"] == "step"
    scheduler, optimizer = found["lr_scheduler"]["scheduler"], found["optimizer"]
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.5 * cosine(step, warm_up, total) for step in range(total)])
    constant = trainee(replace(plan, recipe=replace(plan.recipe, schedule="constant")))
    assert isinstance(constant.configure_optimizers(), torch.optim.Adam)


def test_only_what_is_not_frozen_is_optimised(make_plan: Make) -> None:
    plan = make_plan("C", learning_rate=0.125)
    model = build(plan, build(make_plan("A")).state_dict())
    (group,) = adam(model, plan.recipe).param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in model.head.parameters()}  # type: ignore[union-attr]
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.125, (0.9, 0.999), 0)


def test_a_loader_begins_with_the_epoch_that_it_is_told(make_plan: Make) -> None:
    samples = make_plan().train
    for seed, epoch in ((9, 0), (9, 2), (10, 2)):
        order = EpochOrder(11, 4, seed)
        order.set_epoch(epoch)
        expected = [samples.labels[batch].tolist() for batch in order]
        found = loader(SampleBatches(samples), 11, 4, seed, epoch)
        assert [labels.tolist() for _, _, labels in found] == expected
    orders = {tuple(np.concatenate(list(EpochOrder(11, 4, seed)))) for seed in (9, 10)}
    assert len(orders) == 2


def test_a_bare_step_trains_a_copy_on_training_samples(make_plan: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(make_plan("D"), precision="fp32")
    read_ids, batches, made = list[list[str]](), list[Any](), list[torch.optim.Adam]()
    get, step = SampleBatches.__getitem__, Trainee.training_step

    def read(self: SampleBatches, at: np.ndarray) -> Any:
        read_ids.append(self.samples.ids[at].tolist())
        return get(self, at)

    def train(self: Trainee, batch: Any, index: int) -> Tensor:
        batches.append((self, batch))
        return step(self, batch, index)

    def optimiser(*args: Any) -> torch.optim.Adam:
        made.append(adam(*args))
        return made[-1]

    monkeypatch.setattr(SampleBatches, "__getitem__", read)
    monkeypatch.setattr(Trainee, "training_step", train)
    monkeypatch.setattr(step_room, "adam", optimiser)
    model = build(plan).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ids = plan.train.ids.tolist()
    size = len(ids) + 2
    work = bare_step(plan, model, size, CPU)
    assert read_ids == [[*ids, *ids[:2]]]
    work()
    gradients = [p.grad.clone() for p in made[0].param_groups[0]["params"] if p.grad is not None]
    work()
    module, (images, masks, labels) = batches[1]
    assert (len(images), len(masks), len(labels)) == (size, size, size)
    assert (module.seed, module.threshold, module.training) == (plan.seed, plan.protocol.threshold, True)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    moved = module.model.state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in moved.items())
    after = [p.grad for p in made[0].param_groups[0]["params"] if p.grad is not None]
    sums = [float(g.abs().sum()) for g in gradients], [float(g.abs().sum()) for g in after]
    assert sum(sums[1]) < 1.9 * sum(sums[0]), "gradients are not added up from step to step"
