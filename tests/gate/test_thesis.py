"""`baselines/thesis.json` against the numbers as the thesis prints them, restated here."""

from pathlib import Path

import pytest
from scipy import stats as sp

from btlib import Baseline
from btlib.splits import slice_seed42

THESIS = Baseline.load(Path(__file__).parents[2] / "baselines" / "thesis.json")

README = {
    "A": (0.7311, None),
    "B": (None, 0.9052),
    "C": (0.7309, 0.7157),
    "D": (0.7344, 0.9232),
    "E": (0.7482, 0.9461),
    "F": (0.7517, 0.9477),
    "G": (0.7408, 0.9592),
}
GATED = {
    ("A", "dice"): (0.731074, 0.266554, "slice-mean"),
    ("B", "accuracy"): (0.905229, 0.292899, "slice-mean"),
    ("C", "dice"): (0.7309, None, "batch-mean"),
    ("C", "accuracy"): (0.7157, None, "slice-mean"),
    ("D", "dice"): (0.7344, None, "batch-mean"),
    ("D", "accuracy"): (0.9232, None, "slice-mean"),
    ("E", "dice"): (0.749020, 0.230472, "slice-mean"),
    ("E", "accuracy"): (0.9461, None, "slice-mean"),
    ("F", "dice"): (0.751994, 0.251794, "slice-mean"),
    ("F", "accuracy"): (0.947712, 0.222606, "slice-mean"),
    ("G", "dice"): (0.7408, None, "batch-mean"),
    ("G", "accuracy"): (0.959150, 0.197942, "slice-mean"),
}


def values(case: str, metric: str, source: str | None = None) -> list[float]:
    figures = THESIS.cases[case].figures
    return [f.value for f in figures if f.metric == metric and source in (None, f.source)]


@pytest.mark.parametrize("case", list(README))
def test_the_readmes_table(case: str):
    for metric, printed in zip(("dice", "accuracy"), README[case], strict=True):
        assert (printed in values(case, metric, "README")) == (printed is not None)


def test_what_is_gated():
    found = {
        (name, f.metric): (f.value, f.std, f.aggregation)
        for name, case in THESIS.cases.items()
        for f in case.figures
        if f.margin is not None
    }
    assert found == GATED


def test_macro_f1_and_the_notebooks_tables():
    assert {n: values(n, "macro_f1") for n in "BCFG"} == {"B": [0.8954], "C": [0.6579], "F": [0.9405], "G": [0.954]}
    assert values("B", "f1") == [0.8208, 0.9373, 0.9280]
    assert values("C", "recall") == [0.3333, 0.9288, 0.7079]
    for name in "BC":
        assert sum(values(name, "f1")) / 3 == pytest.approx(values(name, "macro_f1")[0], abs=5e-5)


def test_accuracies_are_whole_numbers_of_612_slices():
    for (case, metric), (value, *_) in GATED.items():
        if metric == "accuracy":
            assert round(value * 612) / 612 == pytest.approx(value, abs=5e-5), case


def test_its_tests():
    printed = {("E", "A"): (2.0761, 0.0383), ("F", "B"): (3.572, 0.000382), ("G", "F"): (1.3006, 0.1939)}
    printed |= {("F", "E"): (0.3702, 0.7114)}
    assert {(t.first, t.second): (t.statistic, t.p) for t in THESIS.tests} == printed
    for test in THESIS.tests:
        assert 2 * sp.t.sf(test.statistic, test.n - 1) == pytest.approx(test.p, rel=2e-3)


def test_its_conditions():
    conditions = THESIS.conditions
    assert conditions.split_fingerprint == slice_seed42(3064).fingerprint
    assert (conditions.n_test, conditions.test_class_counts) == (612, [153, 281, 178])
    assert (conditions.image_size, conditions.threshold, conditions.epsilon) == (256, 0.65, 1e-6)


def test_counts_of_slices_add_up():
    def fact(metric: str) -> tuple[float, list[float]]:
        found = [f for f in THESIS.facts if f.metric == metric]
        return next(f.value for f in found if not f.tumour_class), [f.value for f in found if f.tumour_class]

    total, by_class = fact("slices")
    assert (total, by_class) == (3064, [708, 1426, 930])
    parts = [fact(f"{part}_slices") for part in ("train", "val", "test")]
    assert [n for n, _ in parts] == [2207, 245, 612]
    for n, classes in parts:
        assert sum(classes) == n
    assert [sum(column) for column in zip(*(c for _, c in parts), strict=True)] == by_class
