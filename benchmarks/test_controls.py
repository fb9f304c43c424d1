"""Controls: scores of a model on classes drawn at random, one per patient, which no model can learn.

    pytest benchmarks -m controls [--bt-data DIR] -s

On a split by sample a model may still score well: it recognises patients whose other samples are in its training set.
On splits by patient its score must drop to chance. All five folds are pooled, so that every sample is tested once.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from btlib import stats
from btlib.cases import Work, load_case
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.data.dataset import Dataset
from btlib.data.random_labels import with_random_labels
from btlib.evaluation import evaluate
from btlib.protocol import Protocol, Recipe
from btlib.splits import FOLDS, make_split

pytestmark = pytest.mark.controls

CONTROL = Path(__file__).parents[1] / "examples" / "sklearn_control.py"
SEED = 42
FOLDS_BY_PATIENT = tuple(f"patient-{FOLDS}fold-{k}" for k in range(1, FOLDS + 1))


@pytest.fixture(scope="module")
def dataset(request: pytest.FixtureRequest) -> Dataset:
    """Real samples if there are any, else phantoms, at 64 pixels, because the control uses only thumbnails."""
    given = request.config.getoption("bt_data")
    real = Path(given) if given else request.config.rootpath / "data_figshare" / "data"
    folder = real if given or any(real.glob("*.mat")) else phantom_folder(cache_root() / "phantoms", 600)
    return load_dataset(folder, 64)


Right = tuple[NDArray[np.bool_], list[str | None]]


def right(dataset: Dataset, split_names: tuple[str, ...], labelled: Dataset, place: Path) -> Right:
    """Return whether a random forest on thumbnails classifies each test sample correctly, and the sample's patient.

    The samples of all splits are pooled. The forest is trained and tested on `labelled`; `dataset` defines the splits.
    """
    correct, patients = [], []
    for name in split_names:
        split = make_split(name, dataset)
        work = Work.on(labelled, split, Protocol(split=name, image_size=64), Recipe(), SEED, place)
        predictor = load_case(f"{CONTROL}::control").prepare(work).predictor
        table = evaluate(predictor, labelled, split.test, where="control").samples
        correct.append(table.correct())
        patients += table.patient
    return np.concatenate(correct), patients


def with_interval(found: Right) -> tuple[float, float, float]:
    """Return the accuracy with its 95 % interval over patients."""
    correct, patients = found
    mean = stats.paired(correct, np.zeros_like(correct), groups=patients)
    return float(correct.mean()), mean.low, mean.high


def test_random_labels(benchmark: Any, dataset: Dataset, tmp_path: Path) -> None:
    drawn = with_random_labels(dataset)
    splits = {"slice-seed42": ("slice-seed42",), "patient-5fold, pooled": FOLDS_BY_PATIENT}

    def measure() -> dict[str, tuple[float, float, float]]:
        return {
            f"{kind} types, {name}": with_interval(right(dataset, split, data, tmp_path))
            for kind, data in (("true", dataset), ("random", drawn))
            for name, split in splits.items()
        }

    found, chance = benchmark.pedantic(measure, rounds=1, iterations=1), 1 / len(dataset.task.classes)
    for name, (value, low, high) in found.items():
        print(f"\n{name}: accuracy {value:.4f} ({low:.4f} … {high:.4f}), chance {chance:.4f}", end="")
    patients = len(set(dataset.patients))
    benchmark.extra_info.update(
        {"samples": len(dataset), "patients": patients, "task": dataset.task.name, "accuracy": found}
    )
    _, low, high = found["random types, patient-5fold, pooled"]
    assert low <= chance <= high, "it learned random classes: patients are in both training and test"
    assert found["random types, slice-seed42"][1] > chance, "this control could not have detected leakage"


def test_folds_keep_patients_apart(dataset: Dataset) -> None:
    """No patient is on two sides, every sample is tested once, and class shares differ by less than 3 points."""
    classes = len(dataset.task.classes)
    whole = np.bincount(dataset.strata, minlength=classes) / len(dataset)
    tested: list[int] = []
    print(
        f"\n{len(dataset)} samples of {len(set(dataset.patients))} patients, patient ids from {dataset.patient_source}"
    )
    for name in FOLDS_BY_PATIENT:
        split = make_split(name, dataset)
        sides = [{dataset.patients[i] for i in part} for part in (split.train, split.val, split.test)]
        shares = np.bincount(dataset.strata[split.test], minlength=classes) / len(split.test)
        print(
            f"{name} ({split.fingerprint}): {len(split.train)} train, {len(split.val)} val, {len(split.test)} test"
            f" samples of {len(sides[2])} patients; class shares {np.round(shares, 3).tolist()}"
        )
        assert len(sides[0] | sides[1] | sides[2]) == sum(map(len, sides)), "a patient is on two sides"
        assert abs(shares - whole).max() < 0.03
        tested += split.test.tolist()
    assert sorted(tested) == list(range(len(dataset)))
