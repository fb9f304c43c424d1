"""From sample files to arrays: time and memory against the number of samples, and against the thesis's loop.

    pytest benchmarks -m performance -k loading -s

Generated samples: noise within a head, so that gzip has as much to do as on the real ones (300 kB a file at 512×512).
Times are the machine's own and fail nobody; what is asserted is memory, and a ratio taken in turns.
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

psutil = pytest.importorskip("psutil")  # of the extra "dev", without which all else here runs

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
    """Two gigabytes for a while, which pytest's own temporary folders would keep for three sessions."""
    with tempfile.TemporaryDirectory(prefix="btlib-loading-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def small(place: Path) -> Path:
    return write(place / "small", COUNTS[1], SMALL)


@pytest.fixture(scope="module")
def large(place: Path) -> Path:
    return write(place / "large", LARGE_FILES, LARGE)


def write(folder: Path, n: int, side: int) -> Path:
    """N samples of their own, int16 [side, side]."""
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
    """N samples that share the files of `source`: each is read and stored like one of its own."""
    there = list_slices(source)
    folder.mkdir()
    for k in range(n):
        (folder / f"{k + 1}.mat").hardlink_to(there[k % len(there)])
    return folder


def loaded(folder: Path, n: int, size: int) -> dict[str, Any]:
    """A process of its own loads n samples into an empty cache, then thrice from it.

    Its memory is the peak of it and its workers together, shared pages counted once (PSS), taken 20 times a second.
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
    """MiB of a process and its children; those that end meanwhile count as nothing."""
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
        total += getattr(info, "pss", info.uss)  # PSS is Linux's
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
    """The thesis's own way, one file after the other."""
    images, masks, labels = [], [], []
    for path in list_slices(folder):
        with h5py.File(path, "r") as file:
            image, mask = np.array(file["cjdata/image"]), np.array(file["cjdata/tumorMask"])
            labels.append(int(file["cjdata/label"][0, 0]) - 1)
        images.append(cv2.resize(image, (THESIS_SIZE, THESIS_SIZE)).astype(np.float32) / 255)
        masks.append(cv2.resize(mask.astype(np.uint8), (THESIS_SIZE, THESIS_SIZE)) > 0)
    return images, masks, labels


def read_through(dataset: Dataset) -> None:
    """Every pixel from the map into memory, batch by batch."""
    for start in range(0, len(dataset), BATCH):
        dataset.images[start : start + BATCH].copy()
        dataset.masks[start : start + BATCH].copy()


def test_loading_against_the_thesis_loop(
    large: Path, place: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turn about: the thesis's loop, ours with an empty cache, ours from the cache; ratios of each round."""
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
