from collections.abc import Callable

import numpy as np
import pytest

from btlib import metrics
from btlib.errors import StatsError
from btlib.evaluation import batch_mean, patient_mean, summarise
from btlib.evaluation.aggregate import by_class, by_size, gated_value, per_slice, size_of
from btlib.slice_table import SliceTable

Make = Callable[..., SliceTable]


def test_each_mean_says_over_what(make_table: Make) -> None:
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


def test_a_summary_is_plain_json_even_where_a_number_is_undefined(make_table: Make) -> None:
    import json

    summary = summarise(make_table(1))
    assert summary["dice"]["std"] is None
    assert summary["dice"]["by_class"]["pituitary"] is None
    assert summary["per_class"]["pituitary"] == dict.fromkeys(("precision", "recall", "f1", "auroc"))
    json.dumps(summary, allow_nan=False)


def test_what_a_model_does_not_have_is_left_out(make_table: Make) -> None:
    assert "accuracy" not in summarise(make_table(5, classes=False))
    assert "dice" not in summarise(make_table(5, mask=False))


def test_without_patient_ids_there_is_no_patient_mean() -> None:
    assert patient_mean(np.ones(2), ["a", None]) is None
    assert patient_mean(np.array([1.0, 0.0, 0.0]), ["a", "b", "b"]) == 0.5


@pytest.mark.parametrize(("n", "size"), [(1, 16), (16, 16), (17, 16), (612, 16)])
def test_batch_mean_by_hand(n, size) -> None:
    values = np.random.default_rng(n).random(n)
    by_hand = [np.mean(values[k * size : (k + 1) * size]) for k in range(int(np.ceil(n / size)))]
    assert batch_mean(values, size) == pytest.approx(np.mean(by_hand))


def test_the_gated_value_follows_the_figures_aggregation(make_table: Make) -> None:
    table = make_table(20)
    assert gated_value(table, "dice", "slice-mean", 16) == table.dice().mean()
    assert gated_value(table, "dice", "batch-mean", 16) == batch_mean(table.dice(), 16) != table.dice().mean()
    assert gated_value(table, "accuracy", "slice-mean", 16) == 1.0


def test_a_metric_of_all_slices_has_one_number_and_none_by_slice(make_table: Make) -> None:
    table = make_table(20, wrong=3)
    assert gated_value(table, "macro_f1", "class-mean", 16) == summarise(table)["macro_f1"] < 1
    with pytest.raises(StatsError, match="macro_f1: is of all slices together"):
        per_slice(table, "macro_f1")
    with pytest.raises(StatsError, match="macro_f1: is of all slices together"):
        gated_value(table, "macro_f1", "batch-mean", 16)


@pytest.mark.parametrize(
    ("metric", "have", "problem"),
    [
        ("precision", {"mask": False}, "precision: the table has no masks\n"),
        ("hd95", {}, "hd95: the table has no distances between boundaries\n"),
        ("accuracy", {"classes": False}, "accuracy: the table has no tumour types\n"),
        ("macro_f1", {"classes": False}, "macro_f1: the table has no tumour types\n"),
    ],
)
def test_no_numbers_are_made_of_what_a_table_does_not_have(make_table: Make, metric, have, problem) -> None:
    for ask in (per_slice, lambda table, name: gated_value(table, name, "slice-mean", 16)):
        with pytest.raises(StatsError, match=problem):
            ask(make_table(5, **have), metric)


def test_an_undefined_slice_is_counted_and_its_means_are_none() -> None:
    """A slice without a tumour has no sensitivity; leaving it out of the mean unsaid would drop it."""
    table = SliceTable(
        number=[4, 2], label=[0, 1], patient=["a", "b"], truth_area=[8, 0], intersection=[4, 0], pred_area=[5, 3]
    )
    entry = summarise(table)["sensitivity"]
    assert entry["undefined"] == 1
    assert entry["slice_mean"] is entry["std"] is entry["patient_mean"] is None
    assert entry["by_class"] == {"meningioma": 0.5, "glioma": None, "pituitary": None}
    assert summarise(table)["precision"]["undefined"] == 0


def test_slices_of_one_size_are_told_apart_by_number() -> None:
    rows = {"label": [0] * 4, "patient": [None] * 4, "truth_area": [9] * 4, "pred_area": [9] * 4}
    table = SliceTable(number=[30, 10, 40, 20], intersection=[3, 1, 4, 2], **rows)
    assert size_of(table).tolist() == [1, 0, 2, 0]
    assert by_size(np.array([3.0, 1.0, 4.0, 2.0]), table) == {"small": 1.5, "middle": 3.0, "large": 4.0}


def test_a_batch_is_of_sixteen_unless_it_is_said(make_table: Make) -> None:
    table = make_table(40)
    assert summarise(table)["dice"]["batch_mean"] == batch_mean(table.dice(), 16)
    assert summarise(table)["dice"]["batch_mean"] != batch_mean(table.dice(), 15)
    assert gated_value(table, "dice", "batch-mean", 7) == batch_mean(table.dice(), 7) != batch_mean(table.dice(), 16)


def test_a_gated_value_is_a_number_of_pythons(make_table: Make) -> None:
    """It is written into JSON and printed."""
    for metric in ("dice", "accuracy", "macro_f1"):
        assert type(gated_value(make_table(9), metric, "slice-mean", 16)) is float


def test_patients_are_those_of_their_slices_in_any_order() -> None:
    values = np.array([1.0, 0.0, 0.5, 0.25, 0.75])
    assert patient_mean(values, ["P10", "P9", "P10", "P2", "P9"]) == (0.75 + 0.375 + 0.25) / 3
    assert patient_mean(values, [None, "P9", "P10", "P2", "P9"]) is None
    assert patient_mean(values, [None] * 5) is None


def test_types_are_in_the_order_of_their_labels() -> None:
    values = np.array([1.0, 0.5, 0.25, 0.125])
    assert by_class(values, np.array([2, 0, 2, 0])) == {"meningioma": 0.3125, "glioma": None, "pituitary": 0.625}


@pytest.mark.parametrize(
    ("n", "thirds"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (4, [0, 0, 1, 2]), (5, [0, 0, 1, 1, 2])]
)
def test_thirds_of_few_slices(n: int, thirds: list[int]) -> None:
    """By area as a number: 100 is more than 20."""
    areas = [3, 20, 100, 1000, 2000][:n]
    table = SliceTable(
        number=list(range(n, 0, -1)),
        label=[0] * n,
        patient=[None] * n,
        truth_area=areas[::-1],
        intersection=[1] * n,
        pred_area=[1] * n,
    )
    assert size_of(table).tolist() == thirds[::-1]
    assert size_of(table).dtype == np.int64
    means = by_size(np.arange(n, 0, -1.0), table)
    assert [name for name, mean in means.items() if mean is None] == ["small", "middle", "large"][n:]
    assert means["small"] == (1.5 if n > 3 else 1.0)


def test_a_summary_has_these_parts_and_no_other(make_table: Make) -> None:
    means = {"slice_mean", "std", "batch_mean", "patient_mean", "by_class", "by_size", "undefined"}
    masks = {"dice", "iou", "sensitivity", "precision", "miss_rate"}
    by_slice, of_all = {"accuracy", "brier", "nll"}, {"balanced_accuracy", "macro_f1", "auroc", "ece"}
    both = summarise(make_table(30, wrong=4))
    assert set(both) == {"n", "empty_predictions", "confusion", "per_class"} | masks | by_slice | of_all
    assert all(set(both[name]) == means for name in masks | by_slice)
    assert all(isinstance(both[name], float) for name in of_all)
    assert set(summarise(make_table(30, classes=False))) == {"n", "empty_predictions"} | masks
    assert set(summarise(make_table(30, mask=False))) == {"n", "confusion", "per_class"} | by_slice | of_all


def test_per_class_scores_are_of_their_type(make_table: Make) -> None:
    table = make_table(30, wrong=7)
    summary = summarise(table)
    truth, predicted = np.array(table.label), table.predicted()
    for k, name in enumerate(("meningioma", "glioma", "pituitary")):
        hits = np.count_nonzero((truth == k) & (predicted == k))
        scores = summary["per_class"][name]
        assert scores["precision"] == pytest.approx(hits / np.count_nonzero(predicted == k))
        assert scores["recall"] == pytest.approx(hits / np.count_nonzero(truth == k))
        assert scores["auroc"] == pytest.approx(metrics.auroc(np.array(table.class_prob), truth)[k])
    assert len({scores["precision"] for scores in summary["per_class"].values()}) == 3


def test_empty_predictions_are_of_the_predicted_masks() -> None:
    table = SliceTable(
        number=[1, 2, 3, 4],
        label=[0] * 4,
        patient=[None] * 4,
        truth_area=[0, 4, 4, 4],
        intersection=[0, 0, 0, 4],
        pred_area=[1, 0, 0, 4],
    )
    assert summarise(table)["empty_predictions"] == 2


def test_two_values_have_a_standard_deviation_and_one_has_none(make_table: Make) -> None:
    dice = make_table(2).dice()
    assert summarise(make_table(2))["dice"]["std"] == pytest.approx(abs(dice[0] - dice[1]) / np.sqrt(2))
    assert summarise(make_table(1))["dice"]["std"] is None
