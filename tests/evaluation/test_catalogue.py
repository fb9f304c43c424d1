"""What holds for every metric of the catalogue, and the numbers behind the new columns."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from btlib import older
from btlib.data.dataset import Dataset
from btlib.errors import StatsError, UnknownNameError
from btlib.evaluation import evaluate, summarise
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.evaluation.subgroup import SIZES, size_of
from btlib.metrics import hd95, surface_dice
from btlib.sample_table import BOUNDARY, SampleTable
from btlib.types import Predictions

PLAIN = [name for name in METRICS if METRICS[name].needs not in ("millimetres", "volumes")]
"""Metrics of samples without volumes and without a known size of a pixel."""


class Noise:
    """Random blocks and random types."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def predict(self, images: np.ndarray) -> Predictions:
        n, _, h, w = images.shape
        coarse = self.rng.random((n, h // 8, w // 8))
        return Predictions(coarse.repeat(8, axis=1).repeat(8, axis=2), self.rng.dirichlet((1, 1, 1), n))


class Truth:
    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.at = dataset, 0

    def predict(self, images: np.ndarray) -> Predictions:
        at = slice(self.at, self.at + len(images))
        self.at += len(images)
        return Predictions(self.dataset.masks[at].astype(np.float32), np.eye(3)[self.dataset.labels[at]])


@pytest.fixture
def noise(make_dataset: Callable[..., Dataset]) -> SampleTable:
    return evaluate(Noise(0), make_dataset(24)).samples


@pytest.fixture
def perfect(make_dataset: Callable[..., Dataset]) -> SampleTable:
    dataset = make_dataset(24)
    return evaluate(Truth(dataset), dataset).samples


@pytest.mark.parametrize("name", PLAIN)
def test_every_metric_declares_itself_and_keeps_its_word(name: str, noise: SampleTable, perfect: SampleTable) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.title
    assert metric.undefined
    assert metric.version >= 1
    low, high = metric.range
    for table in (noise, perfect):
        values = metric.of(table)
        assert values.shape == ((24,) if metric.level == "sample" else ())
        assert values.dtype == np.float64
        assert (low <= values).all()
        assert (values <= high).all()
    best = high if metric.direction == "higher" else low
    assert metric.of(perfect) == pytest.approx(best)
    assert metric.sign * metric.of(perfect).mean() > metric.sign * metric.of(noise).mean()


def test_metrics_of_all_slices_are_scikit_learns(noise: SampleTable) -> None:
    prob, truth, predicted = noise.class_prob, noise.labels, noise.predicted()
    prob = prob / prob.sum(axis=1, keepdims=True)  # it asks for more digits than tables keep
    theirs = {
        "auroc": sk.roc_auc_score(truth, prob, multi_class="ovr", average="macro"),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "macro_f1": sk.f1_score(truth, predicted, average="macro"),
    }
    assert {name: float(METRICS[name].of(noise)) for name in theirs} == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", PLAIN)
def test_values_lie_in_the_declared_range(name: str, seed: int, make_dataset: Callable[..., Dataset]) -> None:
    """Of few samples too, where a type is absent; undefined is allowed only of all samples together."""
    table = evaluate(Noise(seed), make_dataset(1 + 3 * seed, seed=seed)).samples
    metric = METRICS[name]
    values = metric.of(table)
    assert np.isfinite(values).all() or (name == "auroc" and table.n == 1)
    assert ((metric.range[0] <= values) & (values <= metric.range[1]) | np.isnan(values)).all()


@pytest.mark.parametrize("name", list(METRICS))
def test_a_table_without_what_it_needs_does_not_have_it(name: str, make_table: Callable[..., SampleTable]) -> None:
    metric = METRICS[name]
    assert metric.available(make_table(classes=False)) == (metric.needs == "mask")
    assert metric.available(make_table(mask=False)) == (metric.needs == "classes")


def test_the_columns_are_the_formulas(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(10)
    table = evaluate(Noise(3), dataset, batch_size=4).samples
    again, at = Noise(3), 0
    for size in (4, 4, 2):
        said = again.predict(dataset.images[at : at + size])
        for mask in said.mask_prob > 0.65:
            truth = dataset.masks[at, 0]
            assert table.measure("hd95")[at, 0] == pytest.approx(hd95(mask, truth), abs=1e-4)
            assert table.measure("surface_dice_1px")[at, 0] == pytest.approx(surface_dice(mask, truth, 1), abs=1e-4)
            assert table.measure("surface_dice_2px")[at, 0] == pytest.approx(surface_dice(mask, truth, 2), abs=1e-4)
            at += 1


def test_a_miss_is_counted_and_not_dropped(make_dataset: Callable[..., Dataset]) -> None:
    class Nothing:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(np.zeros(images.shape), None)

    summary = summarise(evaluate(Nothing(), make_dataset(12, size=24)).samples)
    assert summary["empty_predictions"] == 12
    assert summary["hd95"]["slice_mean"] == pytest.approx(np.hypot(24, 24), abs=1e-4)
    for name, value in (("dice", 0), ("precision", 0), ("sensitivity", 0), ("surface_dice_2px", 0), ("miss_rate", 1)):
        assert summary[name]["slice_mean"] == pytest.approx(value, abs=1e-6)
        assert summary[name]["undefined"] == 0


def test_sensitivity_and_precision_are_scikit_learns(noise: SampleTable) -> None:
    for i, (inside, pred, truth) in enumerate(zip(*(part[:, 0] for part in noise.overlap()), strict=True)):
        assert per_sample(noise, "sensitivity")[i] == pytest.approx(inside / truth)
        assert per_sample(noise, "precision")[i] == pytest.approx(inside / pred if pred else 0)


def test_sizes_are_thirds_of_the_slices_by_true_area(noise: SampleTable) -> None:
    third = size_of(noise)
    area = noise.truth_area[:, 0]
    assert np.bincount(third).tolist() == [8, 8, 8]
    assert area[third == 0].max() <= area[third == 1].min()
    assert area[third == 1].max() <= area[third == 2].min()
    by_size = summarise(noise)["dice"]["by_size"]
    assert by_size == {
        name: pytest.approx(per_sample(noise, "dice")[third == k].mean()) for k, name in enumerate(SIZES)
    }


def test_the_order_of_slices_changes_no_summary_but_the_batch_mean(noise: SampleTable) -> None:
    rows = {name: getattr(noise, name)[::-1] for name in ("id", "label", "patient")}
    columns = {name: values[::-1] for name, values in noise.columns.items()}
    turned = SampleTable(**rows, classes=noise.classes, structures=noise.structures, columns=columns)
    ours, theirs = summarise(noise), summarise(turned)
    for name, entry in ours.items():
        if isinstance(entry, dict) and "batch_mean" in entry:
            rest = {k: pytest.approx(v) for k, v in entry.items() if k != "batch_mean"}
            assert {k: v for k, v in theirs[name].items() if k != "batch_mean"} == rest
        elif isinstance(entry, float):
            assert theirs[name] == pytest.approx(entry)
        else:
            assert theirs[name] == entry


@pytest.mark.parametrize("n", [1, 2])
def test_few_slices_and_absent_types_make_plain_json(n: int, make_table: Callable[..., SampleTable]) -> None:
    summary = summarise(make_table(n))
    assert summary["auroc"] == (None if n == 1 else 1.0)
    assert summary["dice"]["by_class"]["pituitary"] is None
    json.dumps(summary, allow_nan=False)


def test_an_unknown_metric_offers_the_nearest(noise: SampleTable) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'dice'"):
        per_sample(noise, "dise")


def without(table: SampleTable, *names: str) -> SampleTable:
    """The same without some columns of its tumours."""
    columns = {name: values for name, values in table.columns.items() if name.removeprefix("tumour/") not in names}
    return SampleTable(**table.model_dump(exclude={"columns"}), columns=columns)


def test_older_tables_still_load(noise: SampleTable) -> None:
    """Of samples, by number, and before distances were measured."""
    measures = ("truth_area", "intersection", "pred_area")
    rows = {"number": list(range(1, 25)), "label": noise.label, "patient": noise.patient}
    rows |= {name: noise.columns[f"tumour/{name}"] for name in measures} | {"class_prob": noise.class_prob.tolist()}
    table = SampleTable(**older.table(rows))
    assert not table.has_boundary
    assert "hd95" not in summarise(table)
    assert table.id == [str(k) for k in range(1, 25)]
    rest = without(noise, *BOUNDARY)
    assert SampleTable(**table.model_dump(exclude={"id"}), id=rest.id) == rest
    kept = {name: noise.columns[f"tumour/{name}"] for name in BOUNDARY}
    assert SampleTable(**older.table(rows | kept)).columns == noise.columns
    assert SampleTable(**older.table(rows | dict.fromkeys(BOUNDARY))) == table


@pytest.mark.parametrize("name", ["hd95", "surface_dice_1px"])
def test_half_the_boundary_columns_are_refused(name: str, noise: SampleTable) -> None:
    with pytest.raises(ValueError, match=f"is present, but tumour/{name} is missing"):
        without(noise, name)
    with pytest.raises(ValueError, match="tumour/hd95 needs tumour/intersection"):
        without(noise, "intersection", "pred_area")


def test_a_metric_of_one_structure_is_that_of_its_columns(noise: SampleTable) -> None:
    """Where there is one, it is the same number."""
    for name in METRICS:
        if METRICS[name].needs == "classes":
            assert f"{name}/tumour" not in METRICS
            with pytest.raises(UnknownNameError, match=f"unknown metric '{name}/tumour'"):
                METRICS[f"{name}/tumour"]
            continue
        one = METRICS[f"{name}/tumour"]
        assert one.available(noise) == (name in PLAIN)
        assert f"{name}/tumour" in METRICS
        assert (one.name, one.structure, one.title) == (f"{name}/tumour", "tumour", f"{METRICS[name].title}, tumour")
        if name in PLAIN:
            assert np.array_equal(one.of(noise), METRICS[name].of(noise))
    assert list(METRICS.of_table(noise)) == PLAIN, "one structure's are not told apart"


@pytest.mark.parametrize("name", ["dice/", "/tumour", "dise/tumour", "/", ""])
def test_what_is_no_metric_of_a_structure_is_refused(name: str) -> None:
    assert name not in METRICS
    with pytest.raises(UnknownNameError):
        METRICS[name]


def test_a_structure_that_a_table_lacks_is_named(noise: SampleTable) -> None:
    assert not METRICS["dice/oedema"].available(noise)
    with pytest.raises(StatsError, match="dice/oedema: the table has no structure 'oedema'\n"):
        per_sample(noise, "dice/oedema")


DECLARED = {
    "dice": ("Dice", "sample", "mask", "higher", (0, 1), "1", 1),
    "dice_volume": ("Dice per volume", "set", "volumes", "higher", (0, 1), "1", 1),
    "iou": ("IoU", "sample", "mask", "higher", (0, 1), "1", 1),
    "sensitivity": ("sensitivity", "sample", "mask", "higher", (0, 1), "1", 1),
    "precision": ("precision", "sample", "mask", "higher", (0, 1), "1", 1),
    "miss_rate": ("miss rate", "sample", "mask", "lower", (0, 1), "1", 1),
    "hd95": ("HD95", "sample", "boundary", "lower", (0, np.inf), "px", 1),
    "surface_dice_1px": ("surface Dice 1 px", "sample", "boundary", "higher", (0, 1), "1", 1),
    "surface_dice_2px": ("surface Dice 2 px", "sample", "boundary", "higher", (0, 1), "1", 1),
    "hd95_mm": ("HD95 in mm", "sample", "millimetres", "lower", (0, np.inf), "mm", 1),
    "surface_dice_2mm": ("surface Dice 2 mm", "sample", "millimetres", "higher", (0, 1), "1", 1),
    "accuracy": ("accuracy", "sample", "classes", "higher", (0, 1), "1", 1),
    "brier": ("Brier score", "sample", "classes", "lower", (0, 2), "1", 1),
    "nll": ("negative log-likelihood", "sample", "classes", "lower", (0, -np.log(1e-6)), "nat", 1),
    "balanced_accuracy": ("balanced accuracy", "set", "classes", "higher", (0, 1), "1", 1),
    "macro_f1": ("macro F1", "set", "classes", "higher", (0, 1), "1", 1),
    "auroc": ("AUROC", "set", "classes", "higher", (0, 1), "1", 1),
    "ece": ("calibration error", "set", "classes", "lower", (0, 1), "1", 1),
}
"""What stored numbers and tables rely on: a change here needs a new version of the metric's definition."""


SOURCES = {
    "dice": "10.2307/1932409",
    "dice_volume": "10.2307/1932409",
    "iou": "10.1111/j.1469-8137.1912.tb05611.x",
    "sensitivity": "10.1038/s41592-023-02151-z",
    "precision": "10.1038/s41592-023-02151-z",
    "hd95": "10.1109/34.232073",
    "surface_dice_1px": "10.2196/26151",
    "surface_dice_2px": "10.2196/26151",
    "hd95_mm": "10.1109/34.232073",
    "surface_dice_2mm": "10.2196/26151",
    "brier": "10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    "nll": "10.1198/016214506000001437",
    "balanced_accuracy": "10.1109/ICPR.2010.764",
    "macro_f1": "arXiv 1911.03347",
    "auroc": "10.1148/radiology.143.1.7063747",
    "ece": "arXiv 1706.04599",
}


def test_what_each_metric_declares() -> None:
    found = {
        name: (one.title, one.level, one.needs, one.direction, one.range, one.unit, one.version)
        for name, one in ((name, METRICS[name]) for name in METRICS)
    }
    assert found == DECLARED
    assert {name: METRICS[name].source for name in METRICS if METRICS[name].source} == SOURCES
    assert list(found) == list(DECLARED)
    assert {name for name in METRICS if METRICS[name].sign == -1} == {
        "miss_rate",
        "hd95",
        "hd95_mm",
        "brier",
        "nll",
        "ece",
    }
    assert {METRICS[name].sign for name in METRICS} == {1, -1}


def test_each_metric_is_its_formula_over_the_columns(of_numbers: Callable[..., SampleTable]) -> None:
    """Four samples whose numbers all differ, one of them empty and one without a tumour; the third type is absent."""
    table = of_numbers(
        [10, 9, 2, 1],
        label=[1, 0, 1, 0],
        patient=["P1"] * 4,
        truth_area=[10, 4, 8, 5],
        intersection=[6, 0, 1, 5],
        pred_area=[9, 0, 16, 5],
        class_prob=[[0.5, 0.3, 0.2], [0.7, 0.1, 0.2], [0.0, 0.4, 0.6], [0.4, 0.4, 0.2]],
        hd95=[2.5, 45.0, 9.0, 0.0],
        surface_dice_1px=[0.5, 0.0, 0.1, 1.0],
        surface_dice_2px=[0.75, 0.0, 0.2, 1.0],
    )
    expected = {
        "dice": [12 / 19, 0, 2 / 24, 1],
        "iou": [6 / 13, 0, 1 / 23, 1],
        "sensitivity": [0.6, 0, 0.125, 1],
        "precision": [6 / 9, 0, 1 / 16, 1],
        "miss_rate": [0, 1, 1, 0],
        "hd95": [2.5, 45, 9, 0],
        "surface_dice_1px": [0.5, 0, 0.1, 1],
        "surface_dice_2px": [0.75, 0, 0.2, 1],
        "accuracy": [0, 1, 0, 1],
        "brier": [0.25 + 0.49 + 0.04, 0.09 + 0.01 + 0.04, 0.36 + 0.36, 0.36 + 0.16 + 0.04],
        "nll": [-np.log(0.3), -np.log(0.7), -np.log(0.4), -np.log(0.4)],
        "balanced_accuracy": (1 + 0) / 2,
        "macro_f1": (2 * 2 / (3 + 2) + 0 + 0) / 3,
        "auroc": (3 / 4 + 2.5 / 4) / 2,
        "ece": (abs(0.5 - 0) + abs(0.7 - 1) + abs(0.6 - 0) + abs(0.4 - 1)) / 4,
    }
    assert list(expected) == PLAIN
    for name, values in expected.items():
        assert METRICS[name].of(table) == pytest.approx(np.array(values), abs=1e-6), name
