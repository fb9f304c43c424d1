"""A run of the plugin without a session around it: toy cases, small images, options as pytest would parse them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from btlib.baselines import Baseline
from btlib.baselines.held import NotComparedError
from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.errors import BaselineError
from btlib.plugin import options as options_room
from btlib.plugin import run as run_room
from btlib.plugin.options import Options, tier_of
from btlib.plugin.run import Run
from btlib.plugin.terminal import Terminal
from btlib.runs import RunFolder
from btlib.speed import memory
from btlib.splits import Split
from btlib.types import Predictions, Scaling

NOBODY: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda name: None))
"""Config of a session that has no terminal."""


@dataclass
class Knows:
    """Predicts the truth of the samples of a data set."""

    dataset: Dataset
    seed: int

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        at = [int(np.abs(self.dataset.images - image).sum(axis=(1, 2, 3)).argmin()) for image in images]
        return Predictions(self.dataset.masks[at].astype(np.float32), np.eye(3)[self.dataset.labels[at]])


@dataclass
class Cases:
    """The registered cases, the work that each was prepared with, and the truth, which work does not tell."""

    registry: dict[str, Case] = field(default_factory=dict)
    works: list[Work] = field(default_factory=list)
    load: Callable[[int, Scaling], Dataset] | None = None

    def add(self, name: str, error: Exception | None = None, **more: Any) -> None:
        def prepare(work: Work) -> Prepared:
            self.works.append(work)
            if error is not None:
                raise error
            assert self.load is not None
            return Prepared(Knows(self.load(work.train.image_size, work.train.scaling), work.seed), "given")

        self.registry[name] = Case(name, "a toy", has_mask=True, has_classes=True, prepare=prepare, **more)

    @property
    def prepared(self) -> list[tuple[str, int]]:
        """Case and seed of all that was prepared."""
        return [(work.case, work.seed) for work in self.works]


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> Cases:
    """Two toys, which stand in place of all registered cases."""
    found = Cases()
    found.add("toy1")
    found.add("toy2")
    monkeypatch.setattr(run_room, "load_cases", lambda: found.registry)
    monkeypatch.setattr(memory, "release", lambda fault=None: None)  # a search for cycles is most of a toy's time
    return found


@pytest.fixture
def parse(tmp_path: Path) -> Callable[..., Options]:
    """Options as pytest parses and btlib reads them; the user stands in `tmp_path/here` of the project `tmp_path`."""

    def parsed(*args: str) -> Options:
        parser = pytest.Parser(_ispytest=True)
        options_room.add(parser)
        given = parser.parse([*args])
        (tmp_path / "here").mkdir(exist_ok=True)
        config: Any = SimpleNamespace(
            getoption=lambda name: getattr(given, name),
            rootpath=tmp_path,
            invocation_params=SimpleNamespace(dir=tmp_path / "here"),
        )
        return options_room.read(config)

    return parsed


@pytest.fixture
def make_run(
    tmp_path: Path, parse: Callable[..., Options], make_dataset: Callable[..., Dataset], cases: Cases
) -> Callable[..., Run]:
    """A run of the smoke tier on 18 samples of 32 pixels. `load` gives those of any other size and scaling.

    Test samples are neither the first nor the last ones, and stand in no order.
    """

    def make(*args: str, baseline: Baseline | BaselineError | None = None, tier: str = "smoke", **changes: Any) -> Run:
        options = parse("--bt-image-size=32", *args)
        settings = tier_of(options, tier)
        split = Split("by hand", np.arange(3, 12), np.array([0, 2]), np.array([16, 12, 14, 1, 17]))

        def load(size: int, scaling: Scaling) -> Dataset:
            return replace(make_dataset(18, size), scaling=scaling)

        cases.load = load
        truth = load(settings.protocol.image_size, settings.protocol.scaling)
        kept = tmp_path / "checkpoints"
        work = Work.on(truth, split, settings.protocol, settings.recipe, options.seed, kept, retrain=options.retrain)
        return Run(
            tier=settings,
            work=work,
            truth=truth,
            split=split,
            folder=RunFolder(tmp_path / "run"),
            baseline=NotComparedError("not asked for") if baseline is None else baseline,
            terminal=Terminal(NOBODY),
            options=options,
            seeds=tuple(range(options.seed, options.seed + options.seeds)),
            load=load,
            **changes,
        )

    return make
