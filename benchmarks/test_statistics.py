"""Simulations of the bootstrap intervals and tests of the reports, and the time of a significance report."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats as sp

from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import FIGSHARE
from btlib.evaluation.catalogue import METRICS
from btlib.reporting import write_significance
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import SampleTable, sample_table
from btlib.splits import slice_seed42
from btlib.stats import PairedDifferences, paired, paired_many

pytestmark = pytest.mark.statistics

Array = NDArray[np.float64]
SIMULATIONS, SLICES = 2000, 612
MEAN, SPREAD, CORRELATION = 0.74, 0.25, 0.64  # of Dice per sample, as in the thesis
_COPULA = 0.68  # correlation of the normal variables, which gives Dice a correlation of 0.64


def dice_pairs(rng: np.random.Generator, loss: float, n: int = SLICES) -> tuple[Array, Array]:
    """Return Dice of a baseline, and of a model that is worse by `loss` on average, float64 [simulations, n] each."""
    first = rng.standard_normal((SIMULATIONS, n))
    second = _COPULA * first + np.sqrt(1 - _COPULA**2) * rng.standard_normal((SIMULATIONS, n))
    total = MEAN * (1 - MEAN) / SPREAD**2 - 1
    shape = sp.beta(MEAN * total, (1 - MEAN) * total)
    return shape.ppf(sp.norm.cdf(first)), shape.ppf(sp.norm.cdf(second)) * (1 - loss / MEAN)


def once(benchmark: Any, function: Callable[[], Any], **info: Any) -> Any:
    result = benchmark.pedantic(function, rounds=1, iterations=1)
    benchmark.extra_info.update(info)
    return result


def test_the_simulated_slices_are_like_the_thesiss() -> None:
    before, after = dice_pairs(np.random.default_rng(0), 0.0)
    assert before.mean() == pytest.approx(MEAN, abs=0.002)
    assert before.std() == pytest.approx(SPREAD, abs=0.002)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] == pytest.approx(CORRELATION, abs=0.01)


def test_many_at_once_are_the_same_as_one_by_one() -> None:
    before, after = dice_pairs(np.random.default_rng(1), 0.02)
    together = paired_many(after[:5] - before[:5]).rows()
    for i, row in enumerate(together):
        alone = paired(after[i], before[i])
        assert (alone.low, alone.high, alone.p) == pytest.approx((row.low, row.high, row.p))


def test_intervals_cover_the_truth(benchmark: Any) -> None:
    before, after = dice_pairs(np.random.default_rng(3), 0.05)
    share = covered(once(benchmark, lambda: paired_many(after - before)), -0.05)
    benchmark.extra_info.update(coverage=share)
    print(f"\n95 % intervals over {SLICES} independent samples cover the truth in {100 * share:.2f} %")
    assert 0.93 <= share <= 0.97


def test_slices_of_one_patient_need_patients_resampled(benchmark: Any) -> None:
    patients, each, within = 47, 13, 0.5
    rng = np.random.default_rng(4)
    groups = np.arange(patients).repeat(each)
    differences = alike_within(rng, groups, within)
    by_patient = covered(once(benchmark, lambda: paired_many(differences, groups)), 0.0)
    by_slice = covered(paired_many(differences), 0.0)
    benchmark.extra_info.update(by_patient=by_patient, by_slice=by_slice)
    print(f"\n{patients} patients of {each} samples, correlation {within}: 95 % intervals cover the truth in")
    print(f"{100 * by_patient:.2f} % by patient, {100 * by_slice:.2f} % by sample")
    assert 0.93 <= by_patient <= 0.97
    assert by_slice < 0.8


@pytest.mark.parametrize("split", ["slice-seed42", "patient-5fold-1"])
def test_intervals_by_person_cover_the_truth_on_the_figshare_splits(benchmark: Any, split: str) -> None:
    """The groups are the persons of the real test samples. Intervals over samples are too narrow."""
    table = figshare_patients()
    test = slice_seed42(len(table.persons)).test
    if split == "patient-5fold-1":
        test = np.flatnonzero(table.folds[table.persons - 1] == 1)
    persons = table.persons[test]
    differences = alike_within(np.random.default_rng(5), persons, 0.5)
    by_person = covered(once(benchmark, lambda: paired_many(differences, persons)), 0.0)
    by_slice = covered(paired_many(differences), 0.0)
    benchmark.extra_info.update(by_person=by_person, by_slice=by_slice)
    print(
        f"\n{split}, {len(test)} test samples of {len(np.unique(persons))} persons: 95 % intervals cover the truth in"
    )
    print(f"{100 * by_person:.2f} % by person, {100 * by_slice:.2f} % by sample")
    assert 0.92 <= by_person <= 0.97
    assert by_slice < 0.85


def alike_within(rng: np.random.Generator, patient: NDArray[np.int64], correlation: float) -> Array:
    """Return differences without a true change, correlated within a patient, float64 [simulations, n]."""
    shared = rng.standard_normal((SIMULATIONS, patient.max() + 1))[:, patient]
    own = rng.standard_normal((SIMULATIONS, len(patient)))
    return np.asarray(0.2 * (np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own))


def covered(found: PairedDifferences, truth: float) -> float:
    return float(np.mean((found.low <= truth) & (truth <= found.high)))


def results(n: int = 8) -> list[CaseResult]:
    """Return cases like those of the thesis, all on the same 612 samples."""
    rng = np.random.default_rng(5)
    truth = rng.integers(100, 4000, SLICES)
    labels = rng.integers(0, 3, SLICES)
    conditions = Conditions(
        task=FIGSHARE,
        truth_fingerprint="simulated",
        input_fingerprint="simulated",
        split_name="slice-seed42",
        split_fingerprint="simulated",
        n_test=SLICES,
        test_class_counts=None,
        image_size=256,
        scaling="thesis",
        threshold=0.65,
        epsilon=1e-6,
    )

    def table() -> SampleTable:
        overlap = np.floor(truth * rng.beta(1.5, 0.6, SLICES)).astype(int)
        predicted = np.where(rng.random(SLICES) < 0.06, (labels + 1) % 3, labels)
        counts = {"truth_area": truth, "intersection": overlap, "pred_area": truth}
        return sample_table(
            FIGSHARE,
            [str(k) for k in range(1, SLICES + 1)],
            [str(k) for k in range(SLICES)],
            labels=labels,
            measures={name: column[:, None] for name, column in counts.items()},
            class_prob=np.where(np.eye(3)[predicted] > 0, 0.8, 0.1),
        )

    metrics = {metric: METRICS[metric].version for metric in ("dice", "accuracy")}
    return [
        CaseResult(name, f"case {name}", conditions, metrics, (SeedRun(seed=42, fingerprint=None, samples=table()),))
        for name in "ABCDEFGH"[:n]
    ]


def test_a_whole_significance_report(benchmark: Any, tmp_path: Path) -> None:
    """Time of 28 pairs, two metrics, 10 000 resamples and all files, compared with SciPy on one pair."""
    cases = results()
    benchmark.pedantic(write_significance, (cases, tmp_path), rounds=3, iterations=1, warmup_rounds=1)
    tests = json.loads((tmp_path / "significance.json").read_text())["tests"]
    assert len([test for test in tests if test["family"] == "all pairs"]) == 56
    took = reference_seconds(cases[0].values("dice") - cases[1].values("dice"))
    benchmark.extra_info.update(scipy_seconds_of_one_pair=took)
    if benchmark.stats is not None:
        seconds = benchmark.stats.stats.median
        print(
            f"\na report of 56 tests takes {seconds:.2f} s; SciPy takes {took:.2f} s for one test, "
            f"and {56 * took / seconds:.0f} times as long as the report for all"
        )


def reference_seconds(differences: Array) -> float:
    import time

    began = time.perf_counter()
    sp.bootstrap((differences,), np.mean, n_resamples=10_000, method="percentile", random_state=0)
    sp.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=10_000, random_state=0)
    return time.perf_counter() - began
