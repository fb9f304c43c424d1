"""Faults planted into real slices are found, and few others are flagged. Only where the slices are present."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from btlib.data.audit.run import audit
from btlib.data.load import open_source
from btlib.data.reading import read_checked

from .conftest import of, save

REAL = Path(__file__).parents[3] / "data_figshare"
NEAR = {
    "recompressed": lambda image: image,
    "resized": lambda image: cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
    "mirrored": lambda image: image[:, ::-1],
    "other intensities": lambda image: np.clip(image * 0.8 + 25, 0, 255).astype(np.uint8),
}

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not (REAL / "data").is_dir(), reason="there are no real slices in data_figshare/data"),
]


def write(home: Path, rows: Sequence[dict[str, str]]) -> None:
    with (home / "metadata.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_planted_faults_in_real_slices(tmp_path: Path) -> None:
    source, rng, home = open_source(REAL), np.random.default_rng(0), tmp_path / "png"
    images: list[NDArray[np.uint8]] = []
    rows: list[dict[str, str]] = []
    for info in source.samples():
        sample = read_checked(source, info)
        low, high = float(sample.image.min()), float(sample.image.max())
        image = ((sample.image[0] - low) * (255 / max(high - low, 1))).astype(np.uint8)
        images.append(image)
        save(home / f"images/{sample.id}.png", image)
        save(home / f"masks/{sample.id}.png", sample.mask[0].astype(np.uint8) * 255)
        row = {"file_name": f"images/{sample.id}.png", "mask": f"masks/{sample.id}.png", "label": str(sample.label)}
        rows.append(row | {"patient": sample.patient or sample.id})
    parts = {p: ("test" if rng.random() < 0.2 else "train") for p in dict.fromkeys(row["patient"] for row in rows)}
    rows = [row | {"split": parts[row["patient"]]} for row in rows]
    chosen = rng.permutation(len(rows))
    planted = set()
    for k, i in enumerate(chosen[:47].tolist()):
        change = list(NEAR.values())[k % 4] if k < 40 else (lambda image: image)
        name = f"images/copy{k}.{'jpg' if k < 40 and k % 4 == 0 else 'png'}"
        save(home / name, change(images[i]))
        h, w = change(images[i]).shape
        mask = cv2.imread(str(home / rows[i]["mask"]), cv2.IMREAD_UNCHANGED)
        save(home / f"masks/copy{k}.png", (cv2.resize(change(mask > 0).astype(np.uint8), (w, h)) > 0) * np.uint8(255))
        part = "train" if rows[i]["split"] == "test" else "test"
        rows.append(rows[i] | {"file_name": name, "mask": f"masks/copy{k}.png", "patient": f"new {k}", "split": part})
        planted.add(tuple(sorted((name, rows[i]["file_name"]))))
    write(home, rows)
    report = audit(home)
    pairs = {tuple(sorted(item.samples)) for one in of(report, "duplicates", "across") for item in one.items}
    assert planted <= pairs
    flagged = {name for one in of(report, "duplicates") for item in one.items for name in item.samples}
    others = flagged - {name for pair in planted for name in pair}
    assert len(others) <= 0.01 * len(images)
