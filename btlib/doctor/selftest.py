"""Self-test in seconds: data, split and scoring on phantoms, the gate, and pytest. Packages can add checks."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib import starter
from btlib.cases import Work
from btlib.data import load_dataset, write_phantoms
from btlib.data.dataset import Dataset
from btlib.doctor.diagnosis import Check
from btlib.errors import BtlibError
from btlib.evaluation import evaluate
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline, judge
from btlib.paths import shipped_baselines
from btlib.protocol import Protocol, Recipe
from btlib.registry import Registry
from btlib.sample_table import BOUNDARY, OVERLAP, SampleTable
from btlib.splits import Split, make_split
from btlib.types import Predictions

_SLICES, _SIDE = 40, 64


class _Truth:
    """Predictor that recognises samples by their pixels and returns the true masks and classes."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        at = [int(np.abs(self.dataset.images - image).sum(axis=(1, 2, 3)).argmin()) for image in images]
        classes = np.eye(len(self.dataset.task.classes))
        return Predictions(self.dataset.masks[at].astype(np.float32), classes[self.dataset.strata[at]])


def phantoms(place: Path, slices: int = _SLICES, side: int = _SIDE) -> tuple[Dataset, Split]:
    """Return phantoms and their split; the phantoms are written to `place` on the first call."""
    folder = place / "phantoms"
    dataset = load_dataset(folder if folder.exists() else write_phantoms(folder, slices), side)
    return dataset, make_split("slice-seed42", dataset)


def phantom_work(
    place: Path, device: str, *, slices: int = _SLICES, side: int = _SIDE, recipe: Recipe | None = None
) -> Work:
    """Return work on phantoms with a short recipe; its checkpoints go to `place`."""
    return Work.on(
        *phantoms(place, slices, side),
        Protocol(image_size=side),
        recipe or Recipe(name="doctor", quick=True, epochs=1, batch_size=8),
        42,
        place / "checkpoints",
        device=device.partition(":")[0],
        report=lambda line: None,
        case="doctor",
    )


def data(place: Path, device: str) -> str:
    """Check that samples can be written, read, cached and split, and that perfect predictions have Dice 1."""
    dataset, split = phantoms(place)
    test = evaluate(_Truth(dataset), dataset, split.test).samples
    dice, right = float(METRICS["dice"].of(test).mean()), float(test.correct().mean())
    if not (dice > 0.999 and right == 1):
        raise BtlibError(
            f"perfect predictions have Dice {dice:.4f} and accuracy {right:.4f}, expected 1 and 1", where="score"
        )
    return f"{len(dataset)} phantoms written, read and split; perfect predictions of {test.n} have Dice {dice:.4f}"


def gate(place: Path, device: str) -> str:
    """Check that a shipped baseline passes when compared with itself, and regresses without its masks."""
    baseline = Baseline.load(shipped_baselines() / "smoke.json")
    both = (name for name in baseline.cases if {"dice", "accuracy"} <= {*baseline.gated(name)})
    result = next(filter(None, map(baseline.result, both)), None)
    if result is None:
        raise BtlibError("contains no samples of a case with masks and classes", where="shipped baseline smoke")
    missed = tuple(run.model_copy(update={"samples": _without_masks(run.samples)}) for run in result.runs)
    found = [verdict.status for given in (result, replace(result, runs=missed)) for verdict in judge(given, baseline)]
    if found != ["pass", "pass", "regressed", "pass"]:
        raise BtlibError(
            f"expected pass, pass, and without masks regressed, pass (Dice, accuracy), got {', '.join(found)}"
        )
    return f"{result.case} of the shipped baseline smoke passes against itself, and regresses without its masks"


def pytest_plugin(place: Path, device: str) -> str:
    """Check that the project of `btlib init` passes under pytest, in a separate process."""
    starter.start(place)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(place), str(place)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BtlibError(f"exit code {done.returncode}\n{(done.stdout + done.stderr)[-2000:]}", where="pytest")
    return next(line for line in reversed(done.stdout.splitlines()) if "passed" in line).strip("= ")


SELF_TEST: Registry[Check] = Registry("check", group="btlib.checks")
"""Checks in their order; installed packages can add checks."""
for _name, _check in {"data": data, "gate": gate, "pytest": pytest_plugin}.items():
    SELF_TEST.add(_name, _check)


def _without_masks(table: SampleTable) -> SampleTable:
    columns = {name: values for name, values in table.columns.items() if not name.endswith(BOUNDARY)}
    columns |= {f"{structure}/{name}": [0] * table.n for structure in table.structures for name in OVERLAP}
    return SampleTable(**table.model_dump(exclude={"columns"}), columns=columns)
