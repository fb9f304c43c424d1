"""Callbacks at the end of an epoch: learning curves, best weights, and the state for a resume."""

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from btlib import files
from btlib.adapters.state import StateFile
from btlib.thesis.training.module import Trainee

COLUMNS = ("epoch", "train_loss", "val_loss", "val_dice", "val_accuracy", "seconds")


class Curves(pl.Callback):
    """Losses and validation scores by epoch, in a CSV that is complete after each epoch and continued by a resume.

    Args:
        path: Path of the CSV.
        epochs: Number of epochs.
        report: Progress reporter, called with one line for each epoch.
    """

    def __init__(self, path: Path, epochs: int, report: Callable[[str], None]) -> None:
        self.path = path
        self.epochs = epochs
        self.report = report
        self.rows: list[dict[str, float]] = []
        self.started = 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """Start the epoch's clock at the first batch (when resuming, Lightning skips the hook of the epoch's start)."""
        if batch_idx == 0:
            self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Add the epoch's row and write the file again."""
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1, "seconds": time.perf_counter() - self.started}
        assert isinstance(module, Trainee)
        row |= {"train_loss": module.mean_loss()}
        row |= {k: float(v) for k, v in trainer.callback_metrics.items() if k in COLUMNS}
        self.rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" for k, v in r.items()} for r in self.rows)
        files.write_text(self.path, text.getvalue())
        scores = ", ".join(f"{k} {row[k]:.4f}" for k in COLUMNS[1:-1] if k in row)
        self.report(f"epoch {row['epoch']:g} of {self.epochs}: {scores} ({row['seconds']:.0f} s)")

    def state_dict(self) -> dict[str, Any]:
        """Return the rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the rows of an interrupted run."""
        self.rows = state_dict["rows"]

    @property
    def seconds(self) -> float:
        """Seconds of all epochs, including those before a resume."""
        return sum(row["seconds"] for row in self.rows)


class KeepBest(pl.Callback):
    """Store the weights of the epoch with the highest mean of Dice and accuracy on the validation samples.

    They are part of the state from which an interrupted run resumes. If epochs are equal, the later one is taken.
    """

    def __init__(self) -> None:
        self.score = -1.0
        self.epoch = 0
        self.weights: dict[str, torch.Tensor] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Copy the weights if the epoch is the best so far."""
        assert isinstance(module, Trainee)
        found = [float(v) for k, v in trainer.callback_metrics.items() if k in ("val_dice", "val_accuracy")]
        score = sum(found) / len(found)
        if score >= self.score:
            self.score, self.epoch = score, trainer.current_epoch + 1
            self.weights = {k: v.detach().cpu().clone() for k, v in module.model.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """Return score, epoch and weights of the best epoch so far."""
        return {"score": self.score, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best epoch of an interrupted run."""
        self.score, self.epoch, self.weights = (state_dict[k] for k in ("score", "epoch", "weights"))


class KeepLast(pl.Callback):
    """Write the complete state of the training after each epoch. Must be the last callback.

    Args:
        file: File of the state.
    """

    def __init__(self, file: StateFile) -> None:
        self.file = file

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Replace the file."""
        self.file.write(trainer.save_checkpoint)
