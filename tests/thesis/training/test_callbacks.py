"""What is kept at the end of an epoch: the best weights so far, and a row of the curves."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from btlib.thesis.training import Plan, callbacks
from btlib.thesis.training.callbacks import COLUMNS, Curves, KeepBest
from btlib.thesis.training.initial import build
from btlib.thesis.training.module import Trainee

Make = Callable[..., Plan]


@pytest.fixture
def trainee(make_plan: Make) -> Trainee:
    plan = make_plan()
    return Trainee(build(plan), plan.recipe, plan.seed, 0.65)


def epoch(number: int, **metrics: float) -> Any:
    """A trainer at the end of an epoch, from 0."""
    return SimpleNamespace(current_epoch=number, callback_metrics={k: torch.tensor(v) for k, v in metrics.items()})


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([{"val_dice": 0.1}, {"val_dice": 0.5}, {"val_dice": 0.25}], 2),
        ([{"val_dice": 0.5}, {"val_dice": 0.5}, {"val_dice": 0.25}], 2),  # of equal ones the later
        ([{"val_dice": 0.0}, {"val_dice": 0.0}], 2),
        ([{"val_accuracy": 0.5, "val_loss": 0.1}, {"val_accuracy": 0.25, "val_loss": 9.0}], 1),
        (
            [
                {"val_dice": 0.875, "val_accuracy": 0.125},
                {"val_dice": 0.75, "val_accuracy": 0.5},
                {"val_dice": 0.0, "val_accuracy": 1.0},
            ],
            2,
        ),
    ],
)
def test_the_weights_of_the_best_epoch_are_kept(trainee: Trainee, scores: list[dict[str, float]], best: int) -> None:
    keep, (parameter, *_) = KeepBest(), trainee.model.parameters()
    for number, found in enumerate(scores):
        with torch.no_grad():
            parameter.fill_(number + 1.0)
        keep.on_train_epoch_end(epoch(number, **found), trainee)
    assert keep.epoch == best
    assert keep.score == sum(v for k, v in scores[best - 1].items() if k != "val_loss") / len(
        [k for k in scores[best - 1] if k != "val_loss"]
    )
    name = next(name for name, _ in trainee.model.named_parameters())
    assert keep.weights.keys() == trainee.model.state_dict().keys()
    assert (keep.weights[name] == best).all(), "a copy, which later steps do not change"
    again = KeepBest()
    again.load_state_dict(keep.state_dict())
    assert (again.score, again.epoch, again.weights) == (keep.score, keep.epoch, keep.weights)


def test_the_curves_have_a_row_for_each_epoch(
    trainee: Trainee, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, lines = [100.0], list[str]()
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(Trainee, "mean_loss", lambda self: 0.123456789)
    curves = Curves(tmp_path / "curves.csv", 9, lines.append)
    for number, seconds in ((0, 2.0), (1, 3.5)):
        for step in range(3):
            curves.on_train_batch_start(epoch(number), trainee, None, step)
            now[0] += seconds / 3
        metrics = {"val_loss": 0.5, "val_dice": 0.25 + number, "val_accuracy": 0.75, "other": 7.0}
        curves.on_train_epoch_end(epoch(number, **metrics), trainee)
        now[0] += 50.0  # validation of others, and the like, counts for no epoch
    with (tmp_path / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [tuple(row.values()) for row in rows] == [
        ("1", "0.123457", "0.5", "0.25", "0.75", "2"),
        ("2", "0.123457", "0.5", "1.25", "0.75", "3.5"),
    ]
    scores = "train_loss 0.1235, val_loss 0.5000, val_dice 0.2500, val_accuracy 0.7500"
    assert lines[0] == f"epoch 1 of 9: {scores} (2 s)"
    assert curves.seconds == pytest.approx(5.5)
    again = Curves(tmp_path / "again.csv", 9, lines.append)
    again.load_state_dict(curves.state_dict())
    again.on_train_batch_start(epoch(2), trainee, None, 0)
    again.on_train_epoch_end(epoch(2), trainee)
    with (tmp_path / "again.csv").open() as file:
        assert [(row["epoch"], row["val_dice"]) for row in csv.DictReader(file)] == [
            ("1", "0.25"),
            ("2", "1.25"),
            ("3", ""),
        ]
    assert again.seconds == pytest.approx(5.5), "those before a resume are counted"
