"""Generated scans for the audit: smooth structures inside an object, with a lesion that stands out."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from btlib.data.audit.finding import AuditReport, Finding

H, W = 96, 120
COLUMNS = ("file_name", "mask", "label", "patient", "split")
Row = dict[str, str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def scan(seed: int, h: int = H, w: int = W) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """An image and a mask of 0 and 255, both like no other."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w]
    object_ = ((y - h / 2) / (0.42 * h)) ** 2 + ((x - w / 2) / (0.4 * w)) ** 2 < 1
    texture = cv2.resize(rng.random((12, 12)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC) * 90
    texture += cv2.resize(rng.random((40, 40)).astype(np.float32), (w, h)) * 30
    cy, cx, radius = rng.uniform(0.35, 0.65) * h, rng.uniform(0.35, 0.65) * w, rng.uniform(5, 11)
    lesion = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
    image = (30 + texture + 80 * lesion) * object_ + rng.normal(3, 1, (h, w))
    return np.clip(image, 0, 255).astype(np.uint8), lesion.astype(np.uint8) * 255


def save(path: Path, pixels: NDArray[np.generic], quality: int = 70) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality])


def write_table(home: Path, rows: Sequence[Row]) -> Path:
    with (home / "metadata.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return home


Write = Callable[..., tuple[Path, list[Row]]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write n scans of n / 3 patients in two classes; return the folder and its rows, to be changed and written."""

    def make(n: int = 40, name: str = "scans", first: int = 0) -> tuple[Path, list[Row]]:
        home, rows = tmp_path / name, []
        for k in range(first, first + n):
            image, mask = scan(k)
            save(home / f"images/{k}.png", image)
            save(home / f"masks/{k}.png", mask)
            part = ("train", "train", "test")[k // 3 % 3]
            values = (f"images/{k}.png", f"masks/{k}.png", "ab"[k // 3 % 2], f"P{k // 3}", part)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
        return write_table(home, rows), rows

    return make


def of(report: AuditReport, check: str, text: str = "") -> list[Finding]:
    """Findings of a check whose title contains a text."""
    return [one for one in report.findings if one.check == check and text in one.title]
