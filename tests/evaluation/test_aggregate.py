from collections.abc import Callable

import numpy as np
import pytest

from btlib import metrics
from btlib.errors import StatsError
from btlib.evaluation import batch_mean, patient_mean, summarise
from btlib.evaluation.aggregate import by_class, by_size, gated_value, per_sample
from btlib.evaluation.subgroup import size_of
from btlib.natural_order import natural
from btlib.sample_table import SampleTable

Make = Callable[..., SampleTable]


def test_each_mean_says_over_what(make_table: Make) -> None:
    table = make_table(7, patients=["a", "a", "a", "a", "b", "b", "c"], wrong=1)
    summary = summarise(table, batch_mean_size=4)
    dice = per_sample(table, "dice")
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
    assert gated_value(table, "dice", "slice-mean", 16) == per_sample(table, "dice").mean()
    assert (
        gated_value(table, "dice", "batch-mean", 16)
        == batch_mean(per_sample(table, "dice"), 16)
        != per_sample(table, "dice").mean()
    )
    assert gated_value(table, "accuracy", "slice-mean", 16) == 1.0


def test_a_metric_of_all_slices_has_one_number_and_none_by_slice(make_table: Make) -> None:
    table = make_table(20, wrong=3)
    assert gated_value(table, "macro_f1", "class-mean", 16) == summarise(table)["macro_f1"] < 1
    with pytest.raises(StatsError, match="macro_f1: is defined for all samples together"):
        per_sample(table, "macro_f1")
    with pytest.raises(StatsError, match="macro_f1: is defined for all samples together"):
        gated_value(table, "macro_f1", "batch-mean", 16)


@pytest.mark.parametrize(
    ("metric", "have", "problem"),
    [
        ("precision", {"mask": False}, "precision: the table has no masks\n"),
        ("hd95", {}, "hd95: the table has no distances between boundaries\n"),
        ("accuracy", {"classes": False}, "accuracy: the table has no class probabilities\n"),
        ("macro_f1", {"classes": False}, "macro_f1: the table has no class probabilities\n"),
    ],
)
def test_no_numbers_are_made_of_what_a_table_does_not_have(make_table: Make, metric, have, problem) -> None:
    for ask in (per_sample, lambda table, name: gated_value(table, name, "slice-mean", 16)):
        with pytest.raises(StatsError, match=problem):
            ask(make_table(5, **have), metric)


def test_an_undefined_sample_is_counted_and_is_in_no_mean(of_numbers: Make) -> None:
    """A sample without a tumour has no sensitivity: means are over the others, and it is told beside them."""
    table = of_numbers(
        [4, 2, 3, 1],
        label=[0, 1, 0, 2],
        patient=["a", "b", "a", "c"],
        truth_area=[8, 0, 10, 5],
        intersection=[4, 0, 1, 5],
        pred_area=[5, 3, 9, 5],
    )
    entry = summarise(table, batch_mean_size=2)["sensitivity"]
    assert entry["undefined"] == 1
    assert entry["slice_mean"] == pytest.approx((0.5 + 0.1 + 1) / 3)
    assert entry["std"] == pytest.approx(np.std([0.5, 0.1, 1], ddof=1))
    assert entry["batch_mean"] == pytest.approx((0.3 + 1) / 2)
    assert entry["patient_mean"] == pytest.approx((0.3 + 1) / 2)
    assert entry["by_class"] == {"meningioma": pytest.approx(0.3), "glioma": None, "pituitary": 1.0}
    assert entry["by_size"] == {"small": 1.0, "middle": 0.5, "large": pytest.approx(0.1)}  # the empty one is small
    assert summarise(table)["precision"]["undefined"] == 0
    assert summarise(table)["precision"]["by_class"]["glioma"] == 0, "a false alarm is a miss, and no gap"


def test_without_any_value_there_is_no_mean(of_numbers: Make) -> None:
    nothing = [0, 0]
    table = of_numbers([1, 2], patient=["a", "b"], truth_area=nothing, intersection=nothing, pred_area=nothing)
    summary = summarise(table)
    for name in ("sensitivity", "precision"):
        entry = summary[name]
        assert entry["undefined"] == 2
        assert entry["slice_mean"] is entry["std"] is entry["batch_mean"] is entry["patient_mean"] is None
        assert set(entry["by_class"].values()) == set(entry["by_size"].values()) == {None}
    for name, value in (("dice", 1), ("iou", 1), ("miss_rate", 0)):
        assert (summary[name]["slice_mean"], summary[name]["undefined"]) == (value, 0)
    assert summary["empty_predictions"] == 2


def test_a_metric_with_undefined_values_has_no_gated_value(of_numbers: Make) -> None:
    """A figure of all samples cannot be held against a mean over some of them."""
    table = of_numbers([1, 2], truth_area=[4, 0], intersection=[4, 0], pred_area=[4, 0])
    for aggregation in ("slice-mean", "batch-mean"):
        assert np.isnan(gated_value(table, "precision", aggregation, 16))
        assert gated_value(table, "dice", aggregation, 16) == 1


def test_samples_of_one_size_are_told_apart_by_id(of_numbers: Make) -> None:
    """As people sort them: 9 comes before 10."""
    table = of_numbers([30, 9, 40, 20], truth_area=[9] * 4, intersection=[3, 1, 4, 2], pred_area=[9] * 4)
    assert size_of(table).tolist() == [1, 0, 2, 0]
    assert by_size(np.array([3.0, 1.0, 4.0, 2.0]), table) == {"small": 1.5, "middle": 3.0, "large": 4.0}


def test_ids_are_sorted_as_people_do() -> None:
    names = ["sample 9", "sample 10", "sample 10b", "a", "2", "10", "07", "7", ""]
    assert sorted(names, key=natural) == ["", "2", "07", "7", "10", "a", "sample 9", "sample 10", "sample 10b"]


def test_a_batch_is_of_sixteen_unless_it_is_said(make_table: Make) -> None:
    table = make_table(40)
    assert summarise(table)["dice"]["batch_mean"] == batch_mean(per_sample(table, "dice"), 16)
    assert summarise(table)["dice"]["batch_mean"] != batch_mean(per_sample(table, "dice"), 15)
    assert (
        gated_value(table, "dice", "batch-mean", 7)
        == batch_mean(per_sample(table, "dice"), 7)
        != batch_mean(per_sample(table, "dice"), 16)
    )


def test_a_gated_value_is_a_number_of_pythons(make_table: Make) -> None:
    """It is written into JSON and printed."""
    for metric in ("dice", "accuracy", "macro_f1"):
        assert type(gated_value(make_table(9), metric, "slice-mean", 16)) is float


def test_patients_are_those_of_their_slices_in_any_order() -> None:
    values = np.array([1.0, 0.0, 0.5, 0.25, 0.75])
    assert patient_mean(values, ["P10", "P9", "P10", "P2", "P9"]) == (0.75 + 0.375 + 0.25) / 3
    assert patient_mean(values, [None, "P9", "P10", "P2", "P9"]) is None
    assert patient_mean(values, [None] * 5) is None


def test_types_are_in_the_order_of_their_labels(of_numbers: Make) -> None:
    values, zero = np.array([1.0, 0.5, 0.25, 0.125]), [0] * 4
    table = of_numbers(range(4), label=[2, 0, 2, 0], truth_area=zero, intersection=zero, pred_area=zero)
    assert by_class(values, table) == {"meningioma": 0.3125, "glioma": None, "pituitary": 0.625}


@pytest.mark.parametrize(
    ("n", "thirds"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (4, [0, 0, 1, 2]), (5, [0, 0, 1, 1, 2])]
)
def test_thirds_of_few_slices(n: int, thirds: list[int], of_numbers: Make) -> None:
    """By area as a number: 100 is more than 20."""
    areas = [3, 20, 100, 1000, 2000][:n]
    table = of_numbers(range(n, 0, -1), truth_area=areas[::-1], intersection=[1] * n, pred_area=[1] * n)
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
        assert scores["auroc"] == pytest.approx(metrics.auroc(table.class_prob, truth)[k])
    assert len({scores["precision"] for scores in summary["per_class"].values()}) == 3


def test_empty_predictions_are_of_the_predicted_masks(of_numbers: Make) -> None:
    table = of_numbers([1, 2, 3, 4], truth_area=[0, 4, 4, 4], intersection=[0, 0, 0, 4], pred_area=[1, 0, 0, 4])
    assert summarise(table)["empty_predictions"] == 2


def test_values_of_volumes_are_of_their_pixels_together(of_numbers: Make) -> None:
    """Not the mean of its samples: the large ones count by their pixels."""
    table = of_numbers([1, 2, 3], truth_area=[90, 10, 4], intersection=[90, 0, 1], pred_area=[90, 10, 4])
    assert "volume_mean" not in summarise(table)["dice"]
    pooled = SampleTable(**table.model_dump(exclude={"volume"}), volume=["V", "V", "W"])
    dice = summarise(pooled)["dice"]
    assert dice["volume_mean"] == pytest.approx((0.9 + 0.25) / 2, abs=1e-6)
    assert dice["slice_mean"] == pytest.approx((1 + 0 + 0.25) / 3, abs=1e-6)
