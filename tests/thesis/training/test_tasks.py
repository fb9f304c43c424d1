"""A variant learns whatever task its samples have: other classes, several structures, images of several channels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from btlib.adapters.outputs import NAMED
from btlib.adapters.torch import TorchPredictor
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.evaluation import evaluate
from btlib.evaluation.aggregate import per_sample
from btlib.protocol import Protocol
from btlib.splits import slice_seed42
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.training import Plan, fit
from btlib.thesis.training.batches import SampleBatches
from btlib.thesis.training.initial import build
from btlib.thesis.training.module import Trainee

TASK = Task(name="cells", classes=("a", "b", "c", "d"), structures=("core", "rim"), channels=("red", "green", "blue"))
CPU = torch.device("cpu")
Make = Callable[..., tuple[Plan, Dataset]]


@pytest.fixture
def make() -> Make:
    """The class is told by the size of a square, its core by one channel and its rim by another; some have no rim."""

    def of(variant: str = "D", n: int = 20, **recipe: object) -> tuple[Plan, Dataset]:
        rng = np.random.default_rng(0)
        images, masks = rng.random((n, 3, 32, 32), dtype=np.float32), np.zeros((n, 2, 32, 32), bool)
        labels = np.arange(n) % 4
        for i, label in enumerate(labels):
            side = 8 + 4 * label
            top, left = rng.integers(0, 32 - side, 2)
            masks[i, 1, top : top + side, left : left + side] = i % 5 != 0
            masks[i, 0, top + 2 : top + side - 2, left + 2 : left + side - 2] = True
            masks[i, 1] &= ~masks[i, 0]
        images[:, 0][masks[:, 0]] += 4
        images[:, 2][masks[:, 1]] += 4
        ids = np.array([f"cell {i}" for i in range(n)])
        data = Dataset(TASK, images, masks, labels, ids, (None,) * n, "thesis", 32)
        split = slice_seed42(n)
        usual = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=1, batch_size=4)
        parts = data.part(split.train), data.part(split.val)
        prints = data.fingerprint, split.fingerprint
        plan = Plan(variant, replace(usual, **recipe), *parts, *prints, Protocol(image_size=32), 7, "fp32")  # type: ignore[arg-type]
        return plan, data.subset(split.test)

    return of


@pytest.mark.parametrize("variant", list("ABDEFG"))
def test_an_epoch_of_each_variant(variant: str, make: Make, tmp_path: Path) -> None:
    plan, test = make(variant, augment=variant == "D")
    before = build(plan).state_dict()
    model = fit(plan, tmp_path, CPU, report=lambda line: None).model
    after = model.state_dict()
    assert {key.partition(".")[0] for key, value in before.items() if torch.equal(value, after[key])} <= {"aux"}
    table = evaluate(TorchPredictor(model, CPU, outputs=replace(NAMED, structures=2)), test).samples
    assert (table.has_mask, table.has_classes) == (plan.row.has_mask, plan.row.has_classes)
    if table.has_mask:
        assert table.overlap()[1].shape == (len(test), 2)
    if table.has_classes:
        assert table.class_prob.shape == (len(test), 4)


def test_a_frozen_encoder_gives_features_of_every_channel(make: Make, tmp_path: Path) -> None:
    """C takes over A, and learns its head from features alone."""
    start = fit(make("A")[0], tmp_path / "A", CPU, report=lambda line: None).model.state_dict()
    plan, test = make("C")
    model = fit(plan, tmp_path / "C", CPU, start, report=lambda line: None).model
    said = TorchPredictor(model, CPU, outputs=replace(NAMED, structures=2)).predict(test.images)
    assert said.mask_prob is not None
    assert said.class_prob is not None
    assert (said.mask_prob.shape, said.class_prob.shape) == ((len(test), 2, 32, 32), (len(test), 4))


def test_each_structure_is_learnt_as_itself(make: Make, tmp_path: Path) -> None:
    """Truth whose two masks change places costs more; and what is learnt finds each in its place."""
    plan, test = make("D", n=40, epochs=25, learning_rate=5e-3)
    model = fit(plan, tmp_path, CPU, report=lambda line: None).model
    trainee = Trainee(model.eval(), plan.recipe, plan.seed, 0.5)
    images, masks, labels = SampleBatches(plan.train)[np.arange(len(plan.train))]
    with torch.no_grad():
        output = trainee.output(images)
    right, wrong = (float(trainee.loss(output, (images, m, labels))) for m in (masks, masks.flip(1)))
    assert right < 0.75 * wrong
    table = evaluate(TorchPredictor(model, CPU, outputs=replace(NAMED, structures=2)), test, threshold=0.5).samples
    for structure in TASK.structures:
        assert per_sample(table, f"dice/{structure}").mean() > 0.15
