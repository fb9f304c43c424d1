"""Time, memory and size of a report on seven cases with 612 samples each, and of a report on two such runs.

    pytest benchmarks -m performance -k report -s

The runs have the same files as runs of the suite, with generated samples, tables, masks, maps and curves. Times depend
on the machine and are not asserted; memory, the size of the page, and that it shows every sample are asserted.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from btlib.adapters.arrays import CallablePredictor
from btlib.cases import load_cases
from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation import summarise
from btlib.evaluation.thresholds import GRID, ThresholdCurve
from btlib.explain import Explainer, Runner
from btlib.explain.study import Study
from btlib.gate.acceptance import propose
from btlib.reporting.html.pictures import Picture, store_pictures
from btlib.results import Conditions
from btlib.runs import CaseRecord, ModelInfo, RunInfo, RunStore, Speed, Timing
from btlib.runs.cell import Cell
from btlib.runs.masks import Masks
from btlib.sample_table import SampleTable, sample_table
from btlib.splits import slice_seed42
from btlib.thesis.models.variants import VARIANTS
from btlib.types import Predictions

pytestmark = pytest.mark.performance

SLICES, SIZE, EXPLAINED, SEED = 612, 256, 9, 42
MOST_BYTES, MOST_MIB = 15_000_000, 1024

BUILD = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from btlib.reporting.html import write_page, write_report
from btlib.speed.memory import peak_mib
folders = [Path(name) for name in sys.argv[2:]]
write_report(folders[0]) if len(folders) == 1 else write_page(folders, Path(sys.argv[1]))
print(time.perf_counter() - began, time.process_time(), peak_mib())
"""


@pytest.fixture(scope="module")
def runs() -> Iterator[list[Path]]:
    """Two runs, both compared with a third one."""
    with tempfile.TemporaryDirectory(prefix="btlib-report-") as name:
        slices, home = heads(), Path(name)
        base = write_run(home / "base", slices, 0, home / "base.json")
        propose(base, "base", "for a benchmark").new.save(home / "base.json")
        yield [write_run(home / f"run{k}", slices, k, home / "base.json") for k in (1, 2)]


def heads() -> Dataset:
    """Return samples that compress about as well as real ones: noise within a head, and a bright ellipse as tumour."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    head = (x / 0.36) ** 2 + (y / 0.44) ** 2 < 1
    images, masks = np.empty((SLICES, SIZE, SIZE), np.float32), np.empty((SLICES, SIZE, SIZE), bool)
    for k in range(SLICES):
        tissue = cv2.resize(rng.random((12, 12), np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        masks[k] = ellipse(rng.uniform(-0.2, 0.2, 2), rng.uniform(0.03, 0.12, 2))
        noise = rng.standard_normal((SIZE, SIZE), np.float32)
        images[k] = np.where(head, 400 + 900 * tissue + 40 * noise + 400 * masks[k], np.abs(6 * noise))
    labels = np.arange(SLICES, dtype=np.int64) % 3
    return Dataset(
        task=PHANTOM,
        images=images[:, None],
        masks=masks[:, None],
        labels=labels,
        ids=(1 + 5 * np.arange(SLICES)).astype(str),
        patients=tuple(f"{100000 + k // 3}" for k in range(SLICES)),
        scaling="thesis",
        image_size=SIZE,
        folder=None,
    )


def ellipse(centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    return ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1


def write_run(path: Path, slices: Dataset, seed: int, baseline: Path) -> Path:
    """The thesis's seven cases, each with all that the suite keeps."""
    folder, rng = RunStore(path), np.random.default_rng(seed)
    split = slice_seed42(SLICES)
    conditions = Conditions(
        task=PHANTOM,
        truth_fingerprint=slices.truth_fingerprint,
        input_fingerprint=slices.input_fingerprint,
        split_name=split.name,
        split_fingerprint=split.fingerprint,
        n_test=SLICES,
        test_class_counts=np.bincount(slices.strata).tolist(),
        image_size=SIZE,
        scaling="thesis",
        threshold=0.65,
        epsilon=1e-6,
    )
    thesis = {name: load_cases()[name] for name in VARIANTS}
    usual = {"command": "pytest benchmarks", "data": f"{SLICES} samples", "started": "now", "seeds": [SEED]}
    info = RunInfo(tier="full", baseline=str(baseline), task=PHANTOM, cases=list(thesis), **usual)
    folder.save_info(info)
    for name, case in thesis.items():
        masks = predicted(slices.masks[:, 0], rng)[:, None] if case.has_mask else None
        table = measured(slices, masks, case.has_classes, rng)
        curve = np.clip(0.8 - (np.array(GRID) - 0.6) ** 2, 0, 1).tolist()
        timing = Timing(images=16, seconds=rng.uniform(1, 2, 9).tolist())
        record = CaseRecord(
            case=name,
            title=case.title,
            tier="full",
            seed=SEED,
            metrics=dict.fromkeys(case.metrics, 1),
            outcome="done",
            conditions=conditions,
            samples=table,
            summary=summarise(table),
            threshold_curve=ThresholdCurve(thresholds=list(GRID), dice=curve) if case.has_mask else None,
            speed=Speed(case=name, figures={"inference, batch 16": timing}, seconds=9.0),
            seconds=1.0,
            model=ModelInfo(source="trained", fingerprint=f"{seed}{name}", seconds=1.0, details={}, notes=[]),
            environment={"python": sys.version},
            created="now",
        )
        folder.save_record(record, masks=None if masks is None else Masks(slices.ids, np.packbits(masks, 3), SIZE))
        write_curves(folder.curves_path(Cell(name, SEED)), rng)
        if case.has_classes:
            explainer = Explainer(Runner(CallablePredictor(by_brightness)), patch=32, stride=8)
            Study(name, explainer, slices, split).run(np.arange(EXPLAINED) * SLICES // EXPLAINED, folder.explain_place)
    shown = zip(slices.ids.tolist(), slices.images, slices.masks, strict=True)
    store_pictures(path / "pictures.npz", {number: Picture.of(image, mask) for number, image, mask in shown})
    return path


def predicted(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return masks with rough borders, like those of networks."""
    found = np.empty_like(truth)
    for k, mask in enumerate(truth):
        rough = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE), np.float32), (0, 0), 2)
        found[k] = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 4) > 0.5 + rng.uniform(0.3, 1.5) * rough
    return found


def measured(slices: Dataset, masks: np.ndarray | None, classes: bool, rng: np.random.Generator) -> SampleTable:
    """Return a table with the real counts of the masks, and random distances and class probabilities."""
    counts = {"truth_area": slices.masks.sum((2, 3))}
    if masks is not None:
        area, one = masks.sum((2, 3)), rng.uniform(0.1, 0.8, (SLICES, 1)) * masks.any((2, 3))
        counts |= {"intersection": (masks & slices.masks).sum((2, 3)), "pred_area": area}
        counts |= {"hd95": np.where(area > 0, rng.uniform(1, 30, (SLICES, 1)), 362.0)}
        counts |= {"surface_dice_1px": one, "surface_dice_2px": 1.1 * one}
    drawn = rng.dirichlet((0.5, 0.5, 0.5), SLICES) + 0.6 * np.eye(3)[slices.strata]
    prob = drawn / 1.6 if classes else None
    ids, patients = slices.ids.tolist(), slices.patients
    return sample_table(PHANTOM, ids, patients, labels=slices.labels, measures=counts, class_prob=prob)


def by_brightness(images: np.ndarray) -> Predictions:
    mean = images.mean((1, 2), dtype=np.float64) / 4000
    return Predictions(None, np.stack([mean, mean / 2, 1 - 1.5 * mean], axis=1))


def write_curves(path: Path, rng: np.random.Generator) -> None:
    """Write curves of 60 epochs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{k},{1 / k:.4f},{rng.uniform(0.9, 1.1) / k:.4f},{1 - 0.5 / k:.4f}," for k in range(1, 61)]
    path.write_text("epoch,train_loss,val_loss,val_dice,val_accuracy\n" + "\n".join(rows) + "\n")


def built(page: Path, *folders: Path) -> str:
    """Build a page in a new process; print its wall time, processor time, memory and size; assert the last two."""
    command = [sys.executable, "-c", BUILD, str(page), *map(str, folders)]
    seconds, busy, mib = map(float, subprocess.check_output(command, text=True).split())
    html, names = page.read_text(), " and ".join(folder.name for folder in folders)
    tiles = html.count("data-kinds=")
    took = f"{seconds:.1f} s, {busy:.1f} s of the processor, {mib:.0f} MiB"
    print(f"\n{names}: {took}, {len(html.encode()) / 1e6:.2f} MB, {tiles} samples shown")
    assert len(html.encode()) < MOST_BYTES
    assert mib < MOST_MIB
    assert "to keep the page small" not in html
    return html


def test_one_run(runs: list[Path]) -> None:
    built(runs[0] / "index.html", runs[0])
    assert json.loads((runs[0] / "report.json").read_text())["problems"] == []


def test_two_runs(runs: list[Path]) -> None:
    built(runs[0] / "both.html", *runs)
