"""Toy cases that know the truth, and a run of them whose samples and split are chosen."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from btlib.api.benchmark_run import BenchmarkRun
from btlib.api.opening import _info, tier_of
from btlib.cases import CASES, Case, Prepared, Work, load_cases
from btlib.data.dataset import Dataset
from btlib.errors import BaselineError
from btlib.gate import Baseline
from btlib.gate.loading import NONE, NotComparedError
from btlib.options import RunOptions
from btlib.protocol import Tier
from btlib.runs import RunStore
from btlib.runs.executors import InProcess
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter
from btlib.runs.workspace import Workspace
from btlib.speed import memory
from btlib.splits import Split
from btlib.types import Predictions, Scaling

R = TypeVar("R", bound=BenchmarkRun)


@dataclass
class Knows:
    """Predicts the truth of the samples of a data set."""

    dataset: Dataset
    seed: int

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        at = [int(np.abs(self.dataset.images - image).sum(axis=(1, 2, 3)).argmin()) for image in images]
        return Predictions(self.dataset.masks[at].astype(np.float32), np.eye(3)[self.dataset.strata[at]])


@dataclass
class Toys:
    """Registers toy cases for one test: what each was prepared with, and the truth, which work does not tell."""

    patch: pytest.MonkeyPatch
    works: list[Work] = field(default_factory=list)
    load: Callable[[int, Scaling], Dataset] | None = None

    def __post_init__(self) -> None:
        load_cases()  # those of packages are there
        self.patch.setattr(CASES, "_items", dict(CASES._items))

    def add(self, name: str, error: Exception | None = None, **more: Any) -> None:
        def prepare(work: Work) -> Prepared:
            self.works.append(work)
            if error is not None:
                raise error
            assert self.load is not None
            return Prepared(Knows(self.load(work.train.image_size, work.train.scaling), work.seed), "given")

        self.put(Case(name, "a toy", True, True, prepare, **more))

    def put(self, case: Case) -> None:
        self.patch.setitem(CASES._items, case.name, case)

    @property
    def prepared(self) -> list[tuple[str, int]]:
        """Case and seed of all that was prepared."""
        return [(work.case, work.seed) for work in self.works]


def toys(patch: pytest.MonkeyPatch) -> Toys:
    """The toys "toy1" and "toy2"."""
    found = Toys(patch)
    found.add("toy1")
    found.add("toy2")
    patch.setattr(memory, "release", lambda fault=None: None)  # a search for cycles is most of a toy's time
    return found


def toy_run(
    kind: type[R],
    toys: Toys,
    store: RunStore,
    options: RunOptions,
    make_dataset: Callable[..., Dataset],
    *,
    tier: str = "smoke",
    change: Callable[[Tier], Tier] = lambda tier: tier,
    baseline: Baseline | BaselineError | None = None,
    progress: ProgressReporter | None = None,
    cases: Any = None,
) -> R:
    """A run on 18 samples of 32 pixels, and of any other size and scaling; of the toys unless cases are given.

    Test samples are neither the first nor the last ones, and stand in no order.
    """
    settings = change(tier_of(options, tier))
    split = Split("by hand", np.arange(3, 12), np.array([0, 2]), np.array([16, 12, 14, 1, 17]))
    plan = RunPlan(settings, options, cases or {"toy1": frozenset(), "toy2": frozenset()})
    made: dict[tuple[int, Scaling], Dataset] = {}

    def load(size: int, scaling: Scaling) -> Dataset:
        if (size, scaling) not in made:
            made[size, scaling] = replace(make_dataset(18, size), scaling=scaling)
        return made[size, scaling]

    toys.load = load
    truth = load(settings.protocol.image_size, settings.protocol.scaling)
    splits = {settings.protocol.split: split}
    workspace = Workspace(plan, truth, truth, splits, load, progress or ProgressReporter(), load_seconds=1.0)
    store.save_info(_info(workspace, NONE))
    held = NotComparedError("not asked for") if baseline is None else baseline
    return kind(workspace, store, held, InProcess(workspace, store))
