"""The self-test: phantoms through data, split and score, the gate, pytest, a training and an engine; in seconds."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from btlib import extras, starter
from btlib.baselines import Baseline, judge
from btlib.cases import Work
from btlib.data import load_dataset, write_phantoms
from btlib.data.dataset import Dataset
from btlib.doctor.diagnosis import Check
from btlib.errors import BtlibError
from btlib.evaluation import evaluate
from btlib.evaluation.catalogue import METRICS
from btlib.paths import shipped_baselines
from btlib.protocol import Protocol, Recipe
from btlib.sample_table import BOUNDARY, OVERLAP, SampleTable
from btlib.splits import Split, make_split
from btlib.types import Predictions

_SLICES, _SIDE = 40, 64
_CASE = "D"


class _Truth:
    """Knows samples by their pixels, and says what is true of them."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        at = [int(np.abs(self.dataset.images - image).sum(axis=(1, 2, 3)).argmin()) for image in images]
        classes = np.eye(len(self.dataset.task.classes))
        return Predictions(self.dataset.masks[at].astype(np.float32), classes[self.dataset.strata[at]])


def phantoms(place: Path, slices: int = _SLICES, side: int = _SIDE) -> tuple[Dataset, Split]:
    """Phantoms, drawn once in a place, and their split."""
    folder = place / "phantoms"
    dataset = load_dataset(folder if folder.exists() else write_phantoms(folder, slices), side)
    return dataset, make_split("slice-seed42", dataset)


def phantom_work(
    place: Path, device: str, *, slices: int = _SLICES, side: int = _SIDE, backbone: str = "tiny", epochs: int = 1
) -> Work:
    """Phantoms and their split, with a short recipe; checkpoints go to the same folder."""
    recipe = Recipe(name="doctor", backbone=backbone, weights="none", epochs=epochs, batch_size=8)
    return Work.on(
        *phantoms(place, slices, side),
        Protocol(image_size=side),
        recipe,
        42,
        place / "checkpoints",
        device=device.partition(":")[0],
        say=lambda line: None,
        case="doctor",
    )


def data(place: Path, device: str) -> str:
    """Slices are written, read, cached and split, and perfect predictions have Dice 1."""
    dataset, split = phantoms(place)
    test = evaluate(_Truth(dataset), dataset, split.test).samples
    dice, right = float(METRICS["dice"].of(test).mean()), float(test.correct().mean())
    if not (dice > 0.999 and right == 1):
        raise BtlibError(f"perfect predictions have Dice {dice:.4f} and accuracy {right:.4f}", where="score")
    return f"{len(dataset)} phantoms written, read and split; perfect predictions of {test.n} have Dice {dice:.4f}"


def gate(place: Path, device: str) -> str:
    """A shipped baseline holds against itself, and falls short where its masks are gone."""
    baseline = Baseline.load(shipped_baselines() / "smoke.json")
    result = baseline.result(_CASE)
    if result is None:
        raise BtlibError("has no samples", where="shipped baseline smoke")
    missed = tuple(run.model_copy(update={"samples": _without_masks(run.samples)}) for run in result.runs)
    found = [verdict.status for given in (result, replace(result, runs=missed)) for verdict in judge(given, baseline)]
    if found != ["pass", "pass", "regressed", "pass"]:
        raise BtlibError(f"expected Dice to pass, and to regress where masks are missing, got {', '.join(found)}")
    return f"{_CASE} of the shipped baseline smoke passes against itself, and regresses without its masks"


def pytest_plugin(place: Path, device: str) -> str:
    """The project of `btlib init` passes under pytest, in a process of its own."""
    starter.start(place)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(place), str(place)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BtlibError(f"exit code {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}", where="pytest")
    return next(line for line in reversed(done.stdout.splitlines()) if "passed" in line).strip("= ")


def training(place: Path, device: str) -> str:
    """The smallest variant D is trained, stored and loaded again."""
    with extras.named():
        import torch

        from btlib.checkpoints import Store
        from btlib.thesis_cases import plan_of

    work = phantom_work(place, device)
    plan, store = plan_of(_CASE, work)[0], Store(work.checkpoints, torch.device(device), work.say)
    first, second = store.train_or_load(plan), store.train_or_load(plan)
    if (first.source, second.source) != ("trained", "loaded"):
        raise BtlibError(f"was {first.source}, then {second.source}; expected trained, then loaded", where="checkpoint")
    return f"{_CASE} with the tiny backbone, one epoch on {device} in {first.seconds:.1f} s, stored and loaded"


def engine(place: Path, device: str) -> str:
    """The smallest variant D is run by the engine that a run would choose; on a GPU by the one that is not compiled."""
    with extras.named():
        import torch

        from btlib.adapters.torch import VARIANT
        from btlib.engines import Subject, choose
        from btlib.models import create

    work = phantom_work(place, device)
    at = torch.device(device)
    model = create(_CASE, None, backbone="tiny").eval().to(at)
    subject = Subject(model, VARIANT, at, "fp32", _SIDE)
    wanted = "auto" if at.type == "cpu" else "eager"
    chosen = choose(subject, wanted, work.held_out, work.protocol.threshold, work.say)
    return f"{chosen.engine} in fp32 agrees with plain PyTorch" + "".join(f"; {note}" for note in chosen.notes)


SELF_TEST: Mapping[str, Check] = MappingProxyType(
    {"data": data, "gate": gate, "pytest": pytest_plugin, "training": training, "engine": engine}
)


def _without_masks(table: SampleTable) -> SampleTable:
    columns = {name: values for name, values in table.columns.items() if not name.endswith(BOUNDARY)}
    columns |= {f"{structure}/{name}": [0] * table.n for structure in table.structures for name in OVERLAP}
    return SampleTable(**table.model_dump(exclude={"columns"}), columns=columns)
