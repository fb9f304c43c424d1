"""Loading sample files into arrays: time and memory by number of samples, and compared with the thesis's loop.

    pytest benchmarks -m performance -k loading -s

The samples are generated: noise within a head, so that they compress like real ones (300 kB per file at 512×512).
Times depend on the machine and are not asserted; memory, and a ratio measured in turns, are asserted.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from tabulate import tabulate

from btlib.csv_text import csv_text
from btlib.data import list_slices, load_dataset, write_slice
from btlib.data.dataset import Dataset

psutil = pytest.importorskip("psutil")  # in the extra "dev"; other benchmarks run without it

pytestmark = pytest.mark.performance

COUNTS = (100, 1000, 10_000, 100_000)
SMALL, LARGE, THESIS_SIZE = 64, 512, 256  # pixels
LARGE_FILES, DATASET = 300, 3064
ROUNDS, BATCH = 4, 16

LOAD = """
import sys, time
import cv2, btlib.data.cache
from btlib.data import load_dataset
def seconds():
    began = time.perf_counter()
    load_dataset(sys.argv[1], int(sys.argv[2]))
    return time.perf_counter() - began
print(seconds(), min(seconds() for _ in range(3)))
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Temporary folder for two gigabytes; pytest's temporary folders would stay for three sessions."""
    with tempfile.TemporaryDirectory(prefix="btlib-loading-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def small(place: Path) -> Path:
    return write(place / "small", COUNTS[1], SMALL)


@pytest.fixture(scope="module")
def large(place: Path) -> Path:
    return write(place / "large", LARGE_FILES, LARGE)


def write(folder: Path, n: int, side: int) -> Path:
    """Write n different samples, int16 [side, side]."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    head, tumour = (x / 0.36) ** 2 + (y / 0.44) ** 2 < 1, (x - 0.1) ** 2 + (y - 0.05) ** 2 < 0.006
    for k in range(n):
        rng = np.random.default_rng(k)
        tissue = cv2.resize(rng.random((12, 12), np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
        noise = rng.standard_normal((side, side), np.float32)
        image = np.where(head, 400 + 900 * tissue + 40 * noise, np.abs(6 * noise)).clip(0, 4000).astype(np.int16)
        write_slice(folder / f"{k + 1}.mat", image, tumour, k % 3, patient=f"{100000 + k // 13}")
    return folder


def linked(source: Path, folder: Path, n: int) -> Path:
    """Create n samples as hard links to the files of `source`; each is read and stored like a separate file."""
    there = list_slices(source)
    folder.mkdir()
    for k in range(n):
        (folder / f"{k + 1}.mat").hardlink_to(there[k % len(there)])
    return folder


def loaded(folder: Path, n: int, size: int) -> dict[str, Any]:
    """Load n samples in a new process: once with an empty cache, then three times from the cache.

    Memory is the peak of the process and its workers, with shared pages counted once (PSS), sampled 20 times a second.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as cache:
        command = [sys.executable, "-c", LOAD, str(folder), str(size)]
        environment = os.environ | {"BTLIB_CACHE": cache}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            peak = 0.0
            while process.poll() is None:
                peak = max(peak, memory(process.pid))
                time.sleep(0.05)
            assert process.returncode == 0
            cold, warm = map(float, process.stdout.read().split())  # type: ignore[union-attr]
    return {"samples": n, "cold s": cold, "cold ms/sample": 1000 * cold / n, "warm s": warm, "peak MiB": peak}


def memory(pid: int) -> float:
    """Return the memory of a process and its children in MiB; processes that have ended are not counted."""
    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0.0
    for one in processes:
        try:
            info = one.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(info, "pss", info.uss)  # only Linux has PSS
    return total / 2**20


def tell(config: pytest.Config, name: str, rows: list[dict[str, Any]]) -> None:
    path = config.rootpath / "reports" / "performance" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(rows), encoding="utf-8")
    print(f"\n{tabulate(rows, headers='keys', floatfmt='.4g')}\n{path}")


def test_loading_costs_the_same_for_each_of_many_slices(small: Path, pytestconfig: pytest.Config) -> None:
    rows = [loaded(linked(small, small.with_name(f"small-{n}"), n), n, SMALL) for n in COUNTS]
    tell(pytestconfig, "loading-count", rows)
    peaks = {row["samples"]: row["peak MiB"] for row in rows}
    assert peaks[100_000] <= 1.3 * peaks[1000] + 32


def test_loading_as_many_slices_as_the_dataset_has(large: Path, pytestconfig: pytest.Config) -> None:
    row = loaded(linked(large, large.with_name("dataset"), DATASET), DATASET, THESIS_SIZE)
    tell(pytestconfig, "loading-dataset", [row])
    assert row["peak MiB"] <= 1024


def thesis_loop(folder: Path) -> tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]], list[int]]:
    """Load the samples as the thesis does, one file after the other."""
    images, masks, labels = [], [], []
    for path in list_slices(folder):
        with h5py.File(path, "r") as file:
            image, mask = np.array(file["cjdata/image"]), np.array(file["cjdata/tumorMask"])
            labels.append(int(file["cjdata/label"][0, 0]) - 1)
        images.append(cv2.resize(image, (THESIS_SIZE, THESIS_SIZE)).astype(np.float32) / 255)
        masks.append(cv2.resize(mask.astype(np.uint8), (THESIS_SIZE, THESIS_SIZE)) > 0)
    return images, masks, labels


def read_through(dataset: Dataset) -> None:
    """Read every pixel from the memory map, batch by batch."""
    for start in range(0, len(dataset), BATCH):
        dataset.images[start : start + BATCH].copy()
        dataset.masks[start : start + BATCH].copy()


def test_loading_against_the_thesis_loop(
    large: Path, place: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In turns: the thesis's loop, btlib with an empty cache, btlib from the cache; with the ratios of each round."""
    ways: dict[str, list[float]] = {name: [] for name in ("thesis loop", "cold", "warm", "warm, every pixel read")}
    for k in range(ROUNDS):
        monkeypatch.setenv("BTLIB_CACHE", str(place / f"cache-{k}"))
        marks = [time.perf_counter()]
        images, masks, labels = thesis_loop(large)
        marks.append(time.perf_counter())
        load_dataset(large)
        marks.append(time.perf_counter())
        warm = load_dataset(large)
        marks.append(time.perf_counter())
        read_through(warm)
        marks.append(time.perf_counter())
        took = np.diff(marks).tolist()
        for name, seconds in zip(ways, [*took[:3], took[2] + took[3]], strict=True):
            ways[name].append(seconds)
        assert warm.labels.tolist() == labels
        assert np.array_equal(warm.images, images)
        assert np.array_equal(warm.masks, masks)
    ratios = {
        name: [loop / one for loop, one in zip(ways["thesis loop"], seconds, strict=True)]
        for name, seconds in ways.items()
    }
    rows = [
        {
            "way": name,
            "ms/sample": 1000 * statistics.median(seconds) / LARGE_FILES,
            "times the thesis loop": statistics.median(ratios[name]),
            "least": min(ratios[name]),
            "most": max(ratios[name]),
        }
        for name, seconds in ways.items()
    ]
    tell(pytestconfig, "loading-ratio", rows)
    assert statistics.median(ratios["warm"]) >= 50
