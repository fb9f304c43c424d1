"""Workspace of a run: the data and splits that its cells share, and the inputs of each case."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib.cases import Case, Work, load_cases
from btlib.data import load_dataset
from btlib.data.dataset import Dataset
from btlib.data.load import open_source
from btlib.data.random_labels import with_random_labels
from btlib.data.source import DatasetSource
from btlib.errors import BtlibError
from btlib.protocol import Protocol
from btlib.runs.cell import Cell
from btlib.runs.held_out import HeldOut
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter
from btlib.splits import DefaultSplit, Split, default_split, make_split
from btlib.types import Scaling


@dataclass(eq=False)
class Workspace:
    """Opened data of a plan.

    Attributes:
        plan: Plan of the run.
        truth: Samples at the protocol's size and scaling, with the labels for training and testing.
        true: The same samples with their true labels, from which the splits are made.
        splits: Splits by the names in the plan.
        load: Function of size and scaling that returns the samples of this run.
        progress: Progress reporter of the run.
        load_seconds: Time for opening the data.
        split_reason: Why the split is the default for these data; "" if it was named, or for a built-in task.
    """

    plan: RunPlan
    truth: Dataset
    true: Dataset
    splits: Mapping[str, Split]
    load: Callable[[int, Scaling], Dataset]
    progress: ProgressReporter
    load_seconds: float = 0.0
    split_reason: str = ""

    @property
    def split(self) -> Split:
        """Split of the run, or the first of several folds."""
        return self.splits[self.plan.splits[0]]

    def split_of(self, cell: Cell) -> Split:
        """Return the split of a cell."""
        return self.split if cell.fold is None else self.splits[cell.fold]

    def given(self, case: Case) -> Dataset:
        """Return the samples at the size and scaling of a case, or else of the recipe or the protocol."""
        tier = self.plan.tier
        size = case.image_size or tier.protocol.image_size
        return self.load(size, case.scaling or tier.recipe.scaling or tier.protocol.scaling)

    def held_out(self, cell: Cell) -> HeldOut:
        """Return the test samples of a cell."""
        return HeldOut(self.given(load_cases()[cell.case]), self.truth, self.split_of(cell))

    def work(self, cell: Cell) -> Work:
        """Return the inputs of a case for a cell."""
        tier, options = self.plan.tier, self.plan.options
        return Work.on(
            self.given(load_cases()[cell.case]),
            self.split_of(cell),
            tier.protocol,
            tier.recipe,
            cell.seed,
            options.checkpoints,
            device=options.device,
            precision=tier.precision,
            engine=tier.engine,
            deterministic=options.deterministic,
            retrain=options.retrain,
            options=options.plugins,
            report=self.progress.now_and_then(),
            progress_bars=self.progress.progress_bars,
            case=cell.case,
        )

    def batch(self, cell: Cell, size: int) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
        """Return ids and images of `size` test samples in the form of the case, repeated if there are fewer."""
        dataset = self.given(load_cases()[cell.case])
        at = np.resize(self.split_of(cell).test, size)
        return dataset.ids[at], np.ascontiguousarray(dataset.images[at])


def open_workspace(plan: RunPlan, data: Path | DatasetSource, progress: ProgressReporter) -> Workspace:
    """Read the data of a plan and make its splits. If the user names no split or scaling, they follow the data.

    The plan of the workspace names the split and the scaling that are used.

    Raises:
        BtlibError: The data cannot be read, or a split cannot be made.
    """
    if isinstance(data, Path):
        with suppress(BtlibError):  # loading reports it
            data = open_source(data)
    options, protocol = plan.options, _with_scaling_of_data(plan, data)

    @cache
    def load(image_size: int, scaling: Scaling) -> Dataset:
        whole = load_dataset(data, image_size, scaling, progress=progress.progress_bars)
        whole = replace(whole, independent=options.independent)
        return whole if options.limit is None else whole.limit(options.limit)

    @cache
    def given(image_size: int, scaling: Scaling) -> Dataset:
        return with_random_labels(load(image_size, scaling)) if options.random_labels else load(image_size, scaling)

    began = time.perf_counter()
    true = load(protocol.image_size, protocol.scaling)
    seconds = time.perf_counter() - began
    chosen = _split_of_data(plan, true)
    plan = replace(plan, tier=replace(plan.tier, protocol=replace(protocol, split=chosen.name)))
    splits = {name: make_split(name, true, alone=not plan.folded) for name in plan.splits}  # stratified by true classes
    truth = given(protocol.image_size, protocol.scaling)
    return Workspace(plan, truth, true, splits, given, progress, seconds, chosen.reason)


def _with_scaling_of_data(plan: RunPlan, data: Path | DatasetSource) -> Protocol:
    """Return the protocol of a plan; if nothing names another scaling, with the default of the data."""
    options, recipe, protocol = plan.options, plan.tier.recipe, plan.tier.protocol
    if options.scaling or options.protocol or recipe.scaling or protocol.scaling != Protocol().scaling:
        return protocol
    return protocol if isinstance(data, Path) else replace(protocol, scaling=data.default_scaling)


def _split_of_data(plan: RunPlan, dataset: Dataset) -> DefaultSplit:
    """Return the split of a plan; if neither an option nor the protocol names another one, the default of the data."""
    options, split = plan.options, plan.tier.protocol.split
    if options.split or options.folds or options.protocol or split != Protocol().split:
        return DefaultSplit(split, "")
    return default_split(dataset)
