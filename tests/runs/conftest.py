import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.protocol import Protocol, Recipe
from btlib.runs import RunFolder, RunInfo
from btlib.runs.execute import run_case
from btlib.splits import slice_seed42
from btlib.types import Predictions


class Knows:
    """Predicts the truth of a data set."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def predict(self, images: np.ndarray) -> Predictions:
        at = [int(np.abs(self.dataset.images - image).sum(axis=(1, 2)).argmin()) for image in images]
        return Predictions(self.dataset.masks[at].astype(np.float32), np.eye(3)[self.dataset.labels[at]])


@pytest.fixture(autouse=True)
def _code_of_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases below come from this file, and no test depends on whether it is committed."""
    monkeypatch.setattr("btlib.runs.execute.code_of", lambda case: None)


def case_of(name: str = "X", prepare: Callable[[Work], Prepared] | None = None, **more: Any) -> Case:
    usual = {"has_mask": True, "has_classes": True} | more
    return Case(name, f"case {name}", prepare=prepare or (lambda w: Prepared(Knows(w.dataset), "given")), **usual)


@pytest.fixture(scope="session")
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset(40)


@pytest.fixture
def work(tmp_path: Path, dataset: Dataset) -> Work:
    return Work(dataset, slice_seed42(40), Protocol(image_size=32), Recipe(), 7, tmp_path / "checkpoints")


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    """A case that knows the truth, or whose preparation is given."""
    return case_of


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    """A run of the cases X and Y; tests change a copy of it."""
    run = RunFolder(tmp_path_factory.mktemp("finished") / "run")
    run.save_info(RunInfo(tier="smoke", command="pytest", baseline="b", origin="phantom", data="d", started="now"))
    work = Work(dataset, slice_seed42(40), Protocol(image_size=32), Recipe(), 7, run.path.parent / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("btlib.runs.execute.code_of", lambda case: None)
        for name in "XY":
            run_case(case_of(name), work, "smoke", run)
    return run.path


@pytest.fixture
def folder(tmp_path: Path, finished_run: Path) -> RunFolder:
    """The folder of a run of the cases X and Y."""
    return RunFolder(shutil.copytree(finished_run, tmp_path / "run"))
