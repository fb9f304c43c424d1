"""Training of one plan with Lightning, with resume after an interruption."""

import contextlib
import importlib.util
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.warnings import PossibleUserWarning
from torch import Tensor

from btlib.adapters.devices import computing_in, fastest_kernels, forked_rng, resolve_precision
from btlib.adapters.state import StateFile
from btlib.errors import ModelError
from btlib.thesis.models.network import TumourModel
from btlib.thesis.training.batches import Batches, DeviceBatches, batches_of, loader
from btlib.thesis.training.callbacks import Curves, KeepBest, KeepLast
from btlib.thesis.training.features import feature_batches
from btlib.thesis.training.initial import build
from btlib.thesis.training.module import Trainee
from btlib.thesis.training.plan import Plan


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model.

    Attributes:
        model: The model in eval mode, on the CPU.
        seconds: Seconds of all epochs.
        resumed: Whether an interrupted run was resumed.
        device: Device of the training, such as "cpu".
        precision: "fp32" or "bf16".
        epoch: Epoch of the weights, from 1.
    """

    model: TumourModel
    seconds: float
    resumed: bool
    device: str
    precision: str
    epoch: int


def fit(
    plan: Plan,
    workplace: Path,
    device: torch.device,
    start: Mapping[str, Tensor] | None = None,
    report: Callable[[str], None] = print,
    progress_bars: bool = False,
) -> Fitted:
    """Train a plan, or resume an interrupted training after its last complete epoch.

    Args:
        plan: The training.
        workplace: Folder for the state after each epoch (`last.ckpt`) and the curves (`curves.csv`).
        device: Device for training.
        start: See `build`.
        report: Progress reporter, called with one line for each epoch.
        progress_bars: Whether to draw a progress bar.

    Raises:
        ModelError: The loss is not finite, or the recipe keeps the best epoch and there are no validation samples.
    """
    if plan.recipe.keep == "best" and len(plan.val) == 0:
        raise ModelError(
            f"recipe {plan.recipe.name} keeps the best epoch, but the split {plan.protocol.split} has no validation "
            "samples",
            where=f"variant {plan.variant}",
            hint="use more samples, or a recipe that keeps the last epoch",
        )
    precision = resolve_precision(plan.precision, device)
    model = build(plan, start)
    module = Trainee.of(plan, model)
    module.model.to(memory_format=torch.channels_last)
    curves = Curves(workplace / "curves.csv", plan.epochs, report)
    best = KeepBest() if plan.recipe.keep == "best" else None
    last = StateFile(workplace / "last.ckpt")
    left = last.read("epoch", "meta")
    done = 0 if left is None else int(left["epoch"]) + 1
    with _quiet_lightning(), forked_rng(device), fastest_kernels(device), computing_in(precision):
        trainer = pl.Trainer(
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=1 if device.type != "cuda" else [_index(device)],
            precision="bf16-mixed" if precision == "bf16" else "32-true",
            max_epochs=plan.epochs,
            callbacks=[curves, *([best] if best else []), KeepLast(last)],
            logger=_tensorboard(workplace),
            default_root_dir=workplace,
            enable_checkpointing=False,
            enable_progress_bar=progress_bars,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        batches: tuple[Batches, Batches] = (
            feature_batches(plan, model, device, precision)
            if plan.head_only
            else batches_of(plan.train, plan.val, device)
        )
        train = loader(batches[0], len(plan.train), plan.recipe.batch_size, plan.seed, epoch=done)
        validation = loader(batches[1], len(plan.val), plan.recipe.batch_size, None) if len(plan.val) else None
        try:
            trainer.fit(module, train, validation, ckpt_path=str(last.path) if done else None)
        except SystemExit as stop:  # Lightning raises it on Ctrl-C, which must stop the complete run
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from stop
        finally:
            for part in batches:
                if isinstance(part, DeviceBatches):
                    part.close()
            module.model.zero_grad(set_to_none=True)
    if best is not None:
        module.model.load_state_dict(best.weights)
    epoch = best.epoch if best else plan.epochs
    return Fitted(module.model.cpu().eval(), curves.seconds, done > 0, device.type, precision, epoch)


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index


def _tensorboard(workplace: Path) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return False
    from pytorch_lightning.loggers import TensorBoardLogger

    return TensorBoardLogger(str(workplace), name="tensorboard", version="")


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Hide Lightning's messages about the machine and workers; errors are still shown."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            # Lightning uses functions that the newest torch deprecates; the user cannot change that
            warnings.filterwarnings("ignore", category=FutureWarning, module="pytorch_lightning")
            yield
    finally:
        logger.setLevel(level)
