from collections.abc import Callable

import numpy as np
import pytest

from btlib.evaluation import batch_mean, patient_mean, summarise
from btlib.evaluation.aggregate import gated_value
from btlib.slice_table import SliceTable

Make = Callable[..., SliceTable]


def test_each_mean_says_over_what(make_table: Make):
    table = make_table(7, patients=["a", "a", "a", "a", "b", "b", "c"], wrong=1)
    summary = summarise(table, batch_mean_size=4)
    dice = table.dice()
    assert summary["n"] == 7
    assert summary["dice"]["slice_mean"] == pytest.approx(dice.mean())
    assert summary["dice"]["batch_mean"] == pytest.approx((dice[:4].mean() + dice[4:].mean()) / 2)
    assert summary["dice"]["patient_mean"] == pytest.approx((dice[:4].mean() + dice[4:6].mean() + dice[6]) / 3)
    assert summary["dice"]["std"] == pytest.approx(dice.std(ddof=1))
    assert summary["dice"]["by_class"]["glioma"] == pytest.approx(dice[[1, 4]].mean())
    assert summary["accuracy"]["slice_mean"] == pytest.approx(6 / 7)
    assert summary["accuracy"]["patient_mean"] == pytest.approx((3 / 4 + 1 + 1) / 3)
    assert summary["confusion"] == [[2, 1, 0], [0, 2, 0], [0, 0, 2]]
    assert summary["per_class"]["meningioma"] == {
        "precision": 1.0,
        "recall": 2 / 3,
        "f1": pytest.approx(0.8),
        "auroc": pytest.approx(10 / 12),
    }


def test_a_summary_is_plain_json_even_where_a_number_is_undefined(make_table: Make):
    import json

    summary = summarise(make_table(1))
    assert summary["dice"]["std"] is None
    assert summary["dice"]["by_class"]["pituitary"] is None
    assert summary["per_class"]["pituitary"] == dict.fromkeys(("precision", "recall", "f1", "auroc"))
    json.dumps(summary, allow_nan=False)


def test_what_a_model_does_not_have_is_left_out(make_table: Make):
    assert "accuracy" not in summarise(make_table(5, classes=False))
    assert "dice" not in summarise(make_table(5, mask=False))


def test_without_patient_ids_there_is_no_patient_mean():
    assert patient_mean(np.ones(2), ["a", None]) is None
    assert patient_mean(np.array([1.0, 0.0, 0.0]), ["a", "b", "b"]) == 0.5


@pytest.mark.parametrize(("n", "size"), [(1, 16), (16, 16), (17, 16), (612, 16)])
def test_batch_mean_by_hand(n, size):
    values = np.random.default_rng(n).random(n)
    by_hand = [np.mean(values[k * size : (k + 1) * size]) for k in range(int(np.ceil(n / size)))]
    assert batch_mean(values, size) == pytest.approx(np.mean(by_hand))


def test_the_gated_value_follows_the_figures_aggregation(make_table: Make):
    table = make_table(20)
    assert gated_value(table, "dice", "slice-mean", 16) == table.dice().mean()
    assert gated_value(table, "dice", "batch-mean", 16) == batch_mean(table.dice(), 16) != table.dice().mean()
    assert gated_value(table, "accuracy", "slice-mean", 16) == 1.0
