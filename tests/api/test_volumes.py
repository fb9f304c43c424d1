"""A run on a user's own volumes: Dice per volume is the headline, HD95 in mm stands beside it, and both are gated."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

import btlib
from btlib.cases import Case, Prepared, Work
from btlib.errors import UnknownNameError
from btlib.gate.acceptance import accept, propose
from btlib.runs import RunStore
from btlib.types import Predictions

from .toys import Toys

N, SLICES = 24, 3


class Bright:
    """Finds what is bright, or only a part of it."""

    def __init__(self, share: float) -> None:
        self.share = share

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        found = (images > 0.5).astype(np.float32)
        width = images.shape[3]
        found[..., int(self.share * width) :] = 0
        return Predictions(found, None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Volumes of 8 × 20 × 3 voxels of 2 × 0.5 × 5 mm; rows of the table are slices."""
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "scans"
    home.mkdir()
    rows = ["file_name,mask,patient,slice"]
    for i in range(N):
        lesion = np.zeros((8, 20, SLICES), np.uint8)
        for k in range(SLICES):
            lesion[2:7, 3 : 9 + (3 * i + k) % 8, k] = 1
        for name, values in {f"{i}.nii": 200 * lesion, f"{i}-mask.nii": lesion}.items():
            nibabel.save(nibabel.Nifti1Image(values, np.diag([2, 0.5, 5, 1])), home / name)
        rows += [f"{i}.nii,{i}-mask.nii,P{i // 2},{k}" for k in range(SLICES)]
    (home / "metadata.csv").write_text("\n".join(rows))
    (home / "task.toml").write_text("[gate]\ndice_volume = 0.04\n")
    return home


def run(folder: Path, cases: Toys, share: float = 1.0, **options: object) -> btlib.api.Finished:
    def prepare(work: Work) -> Prepared:
        return Prepared(Bright(share), "given")

    made = Case("bright", "finds what is bright", True, False, prepare)
    cases.put(made)
    places = {"root": folder.parent, "output": folder.parent / "out", "checkpoints": folder.parent / "models"}
    return btlib.run(made, folder, image_size=32, scaling="percentile", no_tune=True, **places, **options)


def test_dice_per_volume_comes_first_everywhere(folder: Path, cases: Toys) -> None:
    done = run(folder, cases, 0.5)
    (record,) = RunStore(done.folder).records()
    assert "split patient-5fold-1 (default: the patients are known)" in RunStore(done.folder).info().data
    assert record.summary["dice_volume"] == record.summary["dice"]["volume_mean"]
    assert record.conditions.spacing_fingerprint is not None
    value, distance = record.summary["dice_volume"], record.summary["hd95_mm"]["slice_mean"]
    assert 0.5 < value < 0.99
    head = next(line for line in done.summary.lines if "HD95" in line or "Dice" in line)
    assert head.split().count("Dice") == 2
    markdown = (done.folder / "comparison.md").read_text()
    titles = [cell.strip() for cell in next(li for li in markdown.splitlines() if "| Dice" in li).split("|")]
    assert (
        titles.index("Dice per volume") < titles.index("Dice") < titles.index("HD95 [px]") < titles.index("HD95 [mm]")
    )
    (row,) = csv.DictReader((done.folder / "comparison.csv").read_text().splitlines())
    assert [float(row["dice_volume"]), float(row["hd95_mm"])] == pytest.approx([value, distance])
    (case,) = json.loads((done.folder / "comparison.json").read_text())["cases"]
    assert case["values"]["dice_volume"] == pytest.approx(value)
    page = (done.folder / "index.html").read_text()
    assert "Dice per volume" in page
    assert "highest Dice per volume" in page
    assert "HD95 [mm]; diamond" in page
    assert "HD95 in mm [mm]" not in page
    summary = (done.folder / "summary.md").read_text()
    assert "Dice per volume" in summary


def test_it_is_gated_by_the_margin_of_the_task(folder: Path, cases: Toys) -> None:
    first = run(folder, cases, 0.5, folds="patient-5fold")
    proposal = replace(propose(first.folder, "mine", "first numbers", {"hd95_mm": 1.0}), refusals=())
    figures = {f.metric: (f.margin, f.aggregation, f.unit) for f in proposal.new.cases["bright"].figures}
    assert figures["dice_volume"] == (0.04, "none", "1")
    accept(proposal, folder.parent / "baselines" / "mine.json")
    same = run(folder, cases, 0.5, baseline="mine", folds="patient-5fold")
    assert {v.metric: v.status for v in same.judgement.cases["bright"].verdicts}["dice_volume"] == "pass"
    worse = run(folder, cases, 0.2, baseline="mine", folds="patient-5fold")
    found = {v.metric: v for v in worse.judgement.cases["bright"].verdicts}
    assert found["dice_volume"].status in ("regressed", "suspect", "inconclusive")
    assert found["dice_volume"].difference < -0.2
    assert "by patient" in found["dice_volume"].method


def test_distances_of_another_pixel_size_are_not_comparable(folder: Path, cases: Toys) -> None:
    """The other metrics are still judged."""
    first = run(folder, cases, 0.5, folds="patient-5fold")
    proposal = propose(first.folder, "mine", "first numbers", {"hd95_mm": 1.0})
    accept(replace(proposal, refusals=()), folder.parent / "baselines" / "mine.json")
    for path in folder.glob("*.nii"):
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj).astype(np.uint8), np.diag([2, 0.6, 5, 1])), path)
    again = run(folder, cases, 0.5, baseline="mine", folds="patient-5fold")
    found = {v.metric: v for v in again.judgement.cases["bright"].verdicts}
    assert found["dice"].status == "pass"
    assert found["hd95_mm"].status == "not-comparable"
    assert "spacing_fingerprint (sizes of the images and of their pixels)" in found["hd95_mm"].reason


def test_a_margin_of_an_unknown_metric_is_an_error(folder: Path, cases: Toys) -> None:
    (folder / "task.toml").write_text("[gate]\ndice_volum = 0.04\n")
    with pytest.raises(UnknownNameError, match=r"gate\] in task.toml.*unknown metric 'dice_volum'.*\n?.*dice_volume"):
        propose(run(folder, cases).folder, "mine", "first numbers")
