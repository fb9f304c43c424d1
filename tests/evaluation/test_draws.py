"""Metrics of a set for draws: weights that are counts give the metric of the table with its rows repeated."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from btlib import metrics
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import PredictionError, StatsError
from btlib.evaluation.catalogue import METRICS, Metric, mean_of_defined
from btlib.evaluation.draws import repeated, set_values
from btlib.sample_table import SampleTable, sample_table

SETS = [name for name in METRICS if METRICS[name].level == "set"]


def table_of(seed: int, n: int) -> SampleTable:
    """Probabilities of one digit, so that many are tied; classes of unequal size, the third sometimes absent."""
    rng = np.random.default_rng(seed)
    tenths = rng.multinomial(10, (0.5, 0.3, 0.2), n) / 10
    labels = rng.choice(3, n, p=(0.6, 0.35, 0.05))
    areas = rng.integers(1, 9, (n, 1))
    measures = {"truth_area": areas, "pred_area": areas + 1, "intersection": areas - 1}
    ids, patients = [str(i) for i in range(n)], [f"P{i // 2}" for i in range(n)]
    volumes = [f"V{i // 2}" for i in range(n)]
    return sample_table(PHANTOM, ids, patients, labels=labels, volumes=volumes, measures=measures, class_prob=tenths)


@pytest.mark.parametrize("name", SETS)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 25))
def test_counts_as_weights_are_repeated_rows(name: str, seed: int, n: int) -> None:
    table, metric = table_of(seed, n), METRICS[name]
    counts = np.random.default_rng(seed).integers(0, 4, (5, n))
    counts[:, 0] += 1
    if metric.needs == "volumes":
        counts = counts[:, np.arange(n) // 2]  # the samples of a volume are drawn together
    assert metric.weighted is not None
    found = metric.weighted(table, counts.astype(np.float64))
    wanted = [float(metric.of(repeated(table, row))) for row in counts]
    assert found == pytest.approx(np.array(wanted), nan_ok=True)
    assert metric.weighted(table, np.ones((1, n))) == pytest.approx(float(metric.of(table)), nan_ok=True)


def test_weights_that_are_not_whole_are_scikit_learns() -> None:
    table = table_of(1, 60)
    weights = np.random.default_rng(2).random((4, 60))
    confusion = metrics.weighted_confusion(table.labels, table.predicted(), weights, 3)
    areas = metrics.weighted_auroc(table.class_prob, table.labels, weights)
    for row, ours, area in zip(weights, confusion, areas, strict=True):
        kwargs = {"sample_weight": row, "labels": [0, 1, 2]}
        assert ours == pytest.approx(sk.confusion_matrix(table.labels, table.predicted(), **kwargs))
        f1 = sk.f1_score(table.labels, table.predicted(), average=None, **kwargs)
        assert metrics.per_class(ours)["f1"] == pytest.approx(f1)
        for k in range(3):
            theirs = sk.roc_auc_score(table.labels == k, table.class_prob[:, k], sample_weight=row)
            assert area[k] == pytest.approx(theirs)


def test_a_draw_without_a_class_is_undefined_for_means_over_classes() -> None:
    table = table_of(3, 40)
    rare = int(np.bincount(table.labels).argmin())
    assert (table.labels == rare).any()
    without = np.where(table.labels == rare, 0.0, 1.0)
    weights = np.stack([np.ones(40), without])
    for name in ("macro_f1", "balanced_accuracy", "auroc"):
        assert METRICS[name].over_classes
        assert np.isnan(set_values(table, name, weights)).tolist() == [False, True]
    assert np.isfinite(set_values(table, "ece", weights)).all()


def of_table(table: SampleTable) -> np.ndarray:
    """A metric of another package: macro F1, with the number of distinct samples checked on the way."""
    assert len(set(table.id)) == table.n
    return METRICS["macro_f1"].of(table)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Metric:
    other = replace(METRICS["macro_f1"], name="other", of=of_table, weighted=None)
    monkeypatch.setitem(METRICS._items, "other", other)
    return other


def test_a_metric_without_a_weighted_form_just_works(others: Metric) -> None:
    table = table_of(4, 30)
    counts = np.random.default_rng(0).integers(0, 3, (20, 30)).astype(np.float64)
    assert set_values(table, "other", counts) == pytest.approx(set_values(table, "macro_f1", counts), nan_ok=True)
    with pytest.raises(StatsError, match="other: expected whole weights"):
        set_values(table, "other", counts + 0.5)


@pytest.mark.parametrize("weights", [np.ones(5), np.ones((2, 4)), -np.ones((1, 5)), np.zeros((1, 5)), [[np.nan] * 5]])
def test_what_are_no_weights_is_refused(weights: object) -> None:
    with pytest.raises(StatsError, match="expected weights of 0 or more for 5 samples"):
        set_values(table_of(0, 5), "macro_f1", np.asarray(weights))


@pytest.mark.parametrize("name", ["dice", "macro_f1"])
def test_other_metrics_and_tables_are_refused(name: str, make_table: Callable[..., SampleTable]) -> None:
    table = make_table(6, classes=False)
    with pytest.raises(StatsError, match=f"{name}: expected a metric of all samples together that the table has"):
        set_values(table, name, np.ones((1, 6)))


def test_copies_of_rows_are_a_valid_table_of_other_samples_and_volumes() -> None:
    table = SampleTable(**table_of(5, 6).model_dump(exclude={"volume"}), volume=["a", "a", "b", "b", "c", "c"])
    found = repeated(table, np.array([0, 2, 1, 0, 3, 1]))
    assert SampleTable(**found.model_dump()) == found
    rows = [1, 1, 2, 4, 4, 4, 5]
    assert found.patient == [table.patient[i] for i in rows]
    assert found.labels.tolist() == table.labels[rows].tolist()
    assert np.array_equal(found.class_prob, table.class_prob[rows])
    volumes = found.by_volume()
    assert volumes is not None
    assert volumes.id == ["a (0)", "a (1)", "b (0)", "c (0)", "c (1)", "c (2)"]


def test_a_metric_of_one_structure_keeps_its_weighted_form(make_table: Callable[..., SampleTable]) -> None:
    def of(table: SampleTable) -> np.ndarray:
        return np.asarray(mean_of_defined(table.measure("truth_area")).mean())

    def weighted(table: SampleTable, weights: np.ndarray) -> np.ndarray:
        return weights @ table.measure("truth_area")[:, 0] / weights.sum(axis=1)

    metric = Metric("area", "area", of, "set", "mask", "never", weighted=weighted)
    one, table = metric.of_structure("tumour"), make_table(6)
    assert one.weighted is not None
    assert one.weighted(table, np.ones((1, 6))) == pytest.approx(float(one.of(table)))
    assert replace(metric, weighted=None).of_structure("tumour").weighted is None


def test_classes_out_of_range_are_refused() -> None:
    for truth, predicted in (([0, 3], [0, 1]), ([0, 1], [0, 3]), ([0], [0, 1])):
        with pytest.raises(PredictionError):
            metrics.weighted_confusion(np.array(truth), np.array(predicted), np.ones((1, 2)), 3)
    with pytest.raises(PredictionError):
        metrics.weighted_auroc(np.full((2, 3), 2.0), np.array([0, 1]), np.ones((1, 2)))
    with pytest.raises(StatsError, match="at least 1 bin"):
        metrics.weighted_ece(np.full((2, 2), 0.5), np.array([0, 1]), np.ones((1, 2)), bins=0)
