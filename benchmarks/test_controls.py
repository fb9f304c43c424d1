"""Controls: what a model scores on tumour types drawn at random, one a patient, which nobody can learn.

    pytest benchmarks -m controls [--bt-data DIR] -s

On a split by slice a model may still do well: it recognises patients, whose other slices trained it. On a split that
keeps patients (or, where ids are unknown, neighbouring slices) apart, it must fall to chance.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import stats
from btlib.cases import Work, load_case
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.data.dataset import Dataset
from btlib.data.neighbours import patient_groups
from btlib.data.random_labels import with_random_labels
from btlib.evaluation import evaluate
from btlib.protocol import Protocol, Recipe
from btlib.splits import make_split
from btlib.types import N_CLASSES

pytestmark = pytest.mark.controls

CONTROL = Path(__file__).parents[1] / "examples" / "sklearn_control.py"
SEED = 42


@pytest.fixture(scope="module")
def dataset(request: pytest.FixtureRequest) -> Dataset:
    """Real slices where there are any, else phantoms, at 64 pixels: thumbnails are all the control looks at."""
    given = request.config.getoption("bt_data")
    real = Path(given) if given else request.config.rootpath / "data_figshare" / "data"
    folder = real if given or any(real.glob("*.mat")) else phantom_folder(cache_root() / "phantoms", 600)
    return load_dataset(folder, 64)


@pytest.fixture(scope="module")
def apart(dataset: Dataset) -> str:
    """The split that keeps patients apart, or neighbours where there are no ids."""
    return "block-seed42" if None in dataset.patients else "patient-5fold-1"


def accuracy(dataset: Dataset, split_name: str, labelled: Dataset, place: Path) -> tuple[float, float, float]:
    """Of a random forest on thumbnails, trained and tested on `labelled`, with its interval over patients."""
    split = make_split(split_name, dataset)
    work = Work(labelled, split, Protocol(split=split_name, image_size=64), Recipe(), SEED, place)
    predictor = load_case(f"{CONTROL}::control").prepare(work).predictor
    table = evaluate(predictor, labelled, split.test, where="control").slices
    group = patient_groups(dataset.numbers, dataset.labels, dataset.patients)[split.test]
    right = table.correct()
    found = stats.paired(right, np.zeros_like(right), groups=[str(k) for k in group])
    return float(right.mean()), found.low, found.high


def test_random_labels(benchmark: Any, dataset: Dataset, apart: str, tmp_path: Path) -> None:
    drawn = with_random_labels(dataset)

    def measure() -> dict[str, tuple[float, float, float]]:
        return {
            f"{kind} labels, {split}": accuracy(dataset, split, data, tmp_path)
            for kind, data in (("true", dataset), ("random", drawn))
            for split in ("slice-seed42", apart)
        }

    found = benchmark.pedantic(measure, rounds=1, iterations=1)
    for name, (value, low, high) in found.items():
        print(f"\n{name}: accuracy {value:.4f} ({low:.4f} … {high:.4f}), chance {1 / N_CLASSES:.4f}", end="")
    benchmark.extra_info.update({"slices": len(dataset), "origin": dataset.origin, "accuracy": found})
    _, low, high = found[f"random labels, {apart}"]
    assert low <= 1 / N_CLASSES <= high, "it learned types that were drawn at random: patients stand on both sides"
    assert found["random labels, slice-seed42"][1] > 1 / N_CLASSES, "this control could not have noticed a leak"
