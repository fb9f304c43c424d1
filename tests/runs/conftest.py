import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import CASES, Case, Prepared, Work, load_cases
from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import PHANTOM
from btlib.options import RunOptions
from btlib.protocol import Protocol, Recipe, Tier
from btlib.runs import RunInfo, RunStore
from btlib.runs.execute import run_case
from btlib.runs.executors import InProcess
from btlib.runs.held_out import HeldOut
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter
from btlib.runs.workspace import Workspace
from btlib.splits import Split, make_split, slice_seed42
from btlib.types import Predictions


class Knows:
    """Predicts the truth of a data set."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def predict(self, images: np.ndarray) -> Predictions:
        at = [int(np.abs(self.dataset.images - image).sum(axis=(1, 2, 3)).argmin()) for image in images]
        return Predictions(self.dataset.masks[at].astype(np.float32), np.eye(3)[self.dataset.strata[at]])


@pytest.fixture(autouse=True)
def _code_of_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases below come from this file, and no test depends on whether it is committed."""
    monkeypatch.setattr("btlib.runs.execute.code_of", lambda case: None)


def work_on(dataset: Dataset, split: Split, checkpoints: Path, seed: int = 7, protocol: Protocol | None = None) -> Work:
    return Work.on(dataset, split, protocol or Protocol(image_size=32), Recipe(), seed, checkpoints)


@pytest.fixture(scope="session")
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(40)


@pytest.fixture(scope="session")
def split() -> Split:
    return slice_seed42(40)


@pytest.fixture
def work(tmp_path: Path, dataset: Dataset, split: Split) -> Work:
    return work_on(dataset, split, tmp_path / "checkpoints")


@pytest.fixture(scope="session")
def data(dataset: Dataset, split: Split) -> HeldOut:
    """What the cases of `work` are scored on."""
    return HeldOut(dataset, dataset, split)


@pytest.fixture(scope="session")
def make_case(dataset: Dataset) -> Callable[..., Case]:
    """A case whose preparation is given, or that knows the truth of the usual data set or of another."""

    def make(
        name: str = "X",
        prepare: Callable[[Work], Prepared] | None = None,
        knows: Dataset = dataset,
        has_mask: bool = True,
        has_classes: bool = True,
    ) -> Case:
        known = Prepared(Knows(knows), "given")
        return Case(name, f"case {name}", has_mask, has_classes, prepare or (lambda work: known))

    return make


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, data: HeldOut, make_case: Callable[..., Case]) -> Path:
    """A run of the cases X and Y; tests change a copy of it."""
    run = RunStore(tmp_path_factory.mktemp("finished") / "run")
    run.save_info(RunInfo(tier="smoke", command="pytest", baseline="b", task=PHANTOM, data="d", started="now"))
    work = work_on(data.given, data.split, run.path.parent / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("btlib.runs.execute.code_of", lambda case: None)
        for name in "XY":
            run_case(make_case(name), work, "smoke", run, data)
    return run.path


@pytest.fixture
def folder(tmp_path: Path, finished_run: Path) -> RunStore:
    """The folder of a run of the cases X and Y."""
    return RunStore(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers cases for one test."""

    def add(*cases: Case) -> None:
        load_cases()
        for case in cases:
            monkeypatch.setitem(CASES._items, case.name, case)

    return add


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., RunPlan]:
    """A plan of cases and what is measured of them; options by name."""

    def make(
        cases: Mapping[str, Iterable[str]], split: str = "slice-seed42", recipe: Recipe | None = None, **options: Any
    ) -> RunPlan:
        tier = Tier("smoke", Protocol(split=split, image_size=32), recipe or Recipe(), "none", 40, True, 1e-9, 0.25)
        asked = RunOptions(root=tmp_path, device="cpu", seed=7, **options)
        return RunPlan(tier, asked, {case: frozenset(measures) for case, measures in cases.items()})

    return make


@pytest.fixture
def make_executor(tmp_path: Path, dataset: Dataset, make_plan: Callable[..., RunPlan]) -> Callable[..., InProcess]:
    """An executor of a plan in the folder `run`: another one is as another process."""

    def make(
        cases: Mapping[str, Iterable[str]], again: bool = False, samples: Dataset = dataset, **more: Any
    ) -> InProcess:
        plan = make_plan(cases, **more)
        splits = {name: make_split(name, samples) for name in plan.splits}
        workspace = Workspace(plan, samples, samples, splits, lambda size, scaling: samples, ProgressReporter())
        return InProcess(workspace, RunStore(tmp_path / "run"), again)

    return make
