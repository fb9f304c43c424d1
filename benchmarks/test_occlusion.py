"""Time of an occlusion map of one sample: the thesis's loop and btlib, in one process, in turns."""

import csv
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tabulate import tabulate

from btlib.data import load_dataset
from btlib.data.sources.phantom.files import phantom_folder
from btlib.explain import explainer, positions, probability_of
from btlib.explain.explainer import SPREAD, STRONGEST
from btlib.explain.occlusion import BATCH, drops
from btlib.explain.patches import PATCH, corners

pytestmark = pytest.mark.performance

SIDE, LABEL = 256, 1
TURNS = "ABCCBA" * 2  # A: the thesis's loop, B: btlib, C: btlib's check in plain fp32, once per sample
POSITIONS = {"A": 32, "B": 128, "C": SPREAD + STRONGEST}  # in each turn, in addition to the unchanged sample
Places = NDArray[np.int64]


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Iterator[list[dict[str, Any]]]:
    """Rows of the table, which is printed (with `-s`) and written to `reports/performance/occlusion.csv` at the end."""
    found: list[dict[str, Any]] = []
    yield found
    if found:
        path = request.config.rootpath / request.config.getoption("bt_output") / "performance" / "occlusion.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)
        columns = [(name, *(row[name] for row in found)) for name in found[0]]
        print(f"\n{tabulate(columns, floatfmt='.3g', disable_numparse=[0])}\n{path}")


def thesis_loop(model: Any, image: NDArray[np.float32], places: Places) -> NDArray[np.float64]:
    """Return the drops as the thesis computes them: clones in batches of 32, the complete model in eager fp32, NCHW."""
    import torch

    slice_ = torch.from_numpy(image)[None]
    found: list[NDArray[np.float32]] = []
    with torch.no_grad():
        for start in range(0, len(places), BATCH):
            clones = []
            for top, left in places[start : start + BATCH]:
                clone = slice_.clone()
                clone[:, top : top + PATCH, left : left + PATCH] = 0
                clones.append(clone)
            logits = model(torch.stack(clones)).class_logits
            found.append(torch.softmax(logits, dim=1)[:, LABEL].numpy())
        base = torch.softmax(model(slice_[None]).class_logits, dim=1)[0, LABEL].item()
    return base - np.concatenate(found).astype(np.float64)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@pytest.mark.parametrize("variant", ["E", "F"])  # explained in the thesis; only F needs its decoder for the classes
def test_a_map_of_one_slice(variant: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    import torch

    from btlib.adapters.devices import resolve_precision
    from btlib.adapters.outputs import NAMED
    from btlib.engines import Subject
    from btlib.thesis.models import create

    torch.manual_seed(0)
    model = create(variant).eval()  # random weights: valid for speed, not for accuracy
    slices = load_dataset(phantom_folder(tmp_path, 4), SIDE)
    image = np.array(slices.images[0])
    device = torch.device("cpu")
    subject = Subject(model, NAMED, device, resolve_precision("auto", device), SIDE)
    began = time.perf_counter()
    ours = explainer(subject, slices, np.arange(4))
    built = time.perf_counter() - began
    fast, plain = (probability_of(one, LABEL) for one in (ours.fast.predictor, ours.plain) if one is not None)
    places = corners(*positions(image.shape))
    work: dict[str, Callable[[], object]] = {
        "A": lambda: thesis_loop(model, image, places[: POSITIONS["A"]]),
        "B": lambda: drops(fast, image, places[: POSITIONS["B"]], batch_size=ours.batch_size),
        "C": lambda: drops(plain, image, places[: POSITIONS["C"]], batch_size=ours.batch_size),
    }
    times: dict[str, list[float]] = {side: [] for side in work}
    for side in "ABC" + TURNS:
        times[side].append(seconds(work[side]))
    each = {
        side: statistics.median(times[side][1:]) / (POSITIONS[side] + 1) for side in work
    }  # the first turn is a warm-up
    thesis, map_, check = ((POSITIONS[k] + 1 if k == "C" else len(places) + 1) * each[k] for k in "ABC")
    whole = seconds(lambda: replace(ours, plain=None).explain(image, LABEL))
    rows.append(
        {
            "variant": variant,
            "engine": ours.fast.engine,
            "precision": ours.fast.precision,
            "threads": torch.get_num_threads(),
            "load of the machine": os.getloadavg()[0],
            "MALLOC_MMAP_MAX_": os.environ.get("MALLOC_MMAP_MAX_", "not set"),
            "positions of a sample": len(places),
            "positions timed, thesis": POSITIONS["A"] * TURNS.count("A"),
            "positions timed, ours": POSITIONS["B"] * TURNS.count("B"),
            "ms a position, thesis": 1000 * each["A"],
            "ms a position, ours": 1000 * each["B"],
            "times as fast, a position": each["A"] / each["B"],
            "s a sample, thesis, extrapolated": thesis,
            "s a sample, ours, extrapolated": map_,
            "s a sample, ours, measured": whole,
            "s a sample, check in plain fp32": check,
            "times as fast, with the check": thesis / (map_ + check),
            "s to build the engine, once": built,
        }
    )
