"""Tasks of any number of structures, classes and channels: nothing counts to one, or to three."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from sklearn import metrics as sk

from btlib import evaluate
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.errors import PredictionError, StatsError, UnknownNameError
from btlib.evaluation import best_threshold, curve_of, patient_mean, summarise
from btlib.evaluation.aggregate import gated_value, per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.evaluation.subgroup import SIZES, size_of
from btlib.evaluation.thresholds import GRID
from btlib.metrics import hd95, surface_dice
from btlib.sample_table import BOUNDARY, SampleTable
from btlib.types import Predictions

TASK = Task(
    name="made up",
    classes=("benign", "grade 2", "grade 3", "grade 4"),
    structures=("core", "oedema"),
    channels=("T1", "T2", "FLAIR"),
)
MASKS_ONLY = Task(name="masks only", structures=TASK.structures, channels=TASK.channels)
CLASSES_ONLY = Task(name="classes only", classes=TASK.classes, channels=TASK.channels)

OF_MASKS = [name for name in METRICS if METRICS[name].needs in ("mask", "boundary")]
WITH_VOLUMES = [name for name in METRICS if name in OF_MASKS or METRICS[name].needs == "volumes"]
OF_CLASSES = [name for name in METRICS if METRICS[name].needs == "classes"]


def of_size(structures: int, classes: int, channels: int) -> Task:
    """A task whose names do not stand in the order of the alphabet."""
    names = [f"{'zyxwv'[k]}{k}" for k in range(5)]
    return Task(
        name=f"{structures}, {classes}, {channels}",
        structures=tuple(names[:structures]),
        classes=tuple(names[:classes]),
        channels=tuple(names[:channels]),
    )


TASKS = [of_size(*size) for size in ((1, 2, 1), (2, 4, 3), (3, 5, 2), (5, 1, 4), (2, 0, 3), (0, 4, 3))]
ALL_TASKS = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


@dataclass
class Prepared:
    """Says for each sample what was laid down for it, which it finds by a number in the sample's first pixel."""

    task: Task
    mask_prob: np.ndarray | None
    class_prob: np.ndarray | None

    def predict(self, images: np.ndarray) -> Predictions:
        assert images.ndim == 4
        assert images.shape[1] == len(self.task.channels)
        at = images[:, 0, 0, 0].astype(int)
        return Predictions(*(None if part is None else part[at] for part in (self.mask_prob, self.class_prob)))


def samples_of(
    task: Task,
    masks: np.ndarray,
    labels: Sequence[int] | None = None,
    volumes: Sequence[str] | None = None,
    patients: Sequence[str] | None = None,
) -> Dataset:
    """Samples with these masks, whose first pixels hold their number."""
    n, _, side, _ = masks.shape
    images = np.random.default_rng(0).random((n, len(task.channels), side, side)).astype(np.float32)
    images[:, 0, 0, 0] = np.arange(n)
    return Dataset(
        task=task,
        images=images,
        masks=masks,
        labels=None if labels is None else np.array(labels, dtype=np.int64),
        ids=np.array([f"sample {k}" for k in range(n)]),
        patients=(None,) * n if patients is None else tuple(patients),
        scaling="thesis",
        image_size=side,
        volumes=None if volumes is None else tuple(volumes),
    )


def random(task: Task, n: int = 30, side: int = 12, seed: int = 0) -> tuple[Dataset, Prepared]:
    """Blocks of which a third are empty, and predictions that are right more often than not."""
    rng = np.random.default_rng(seed)
    k, c = len(task.structures), len(task.classes)
    blocks = (rng.random((n, k, 3, 3)) < 0.5) & (rng.random((n, k)) < 0.67)[..., None, None]
    masks = blocks.repeat(side // 3, axis=2).repeat(side // 3, axis=3)
    said = np.clip(masks * 0.6 + rng.random((n, k, side, side)) * 0.39, 0, 1)
    said[rng.random((n, k)) < 0.3] = 0
    labels = rng.integers(0, c, n) if c else None
    class_prob = None
    if labels is not None:
        class_prob = rng.dirichlet((1,) * c, n) + np.eye(c)[labels] * rng.random((n, 1))
        class_prob /= class_prob.sum(axis=1, keepdims=True)
    volumes, patients = [f"V{i // 3}" for i in range(n)], [f"P{i // 6}" for i in range(n)]
    return samples_of(task, masks, labels, volumes, patients), Prepared(task, said if k else None, class_prob)


def squares(sides: Sequence[Sequence[int]], side: int = 8) -> np.ndarray:
    """Masks [n, structures, side, side]: in the lower right corner a square of so many pixels a side."""
    found = np.zeros((len(sides), len(sides[0]), side, side), dtype=bool)
    for i, row in enumerate(sides):
        for k, length in enumerate(row):
            found[i, k, side - length :, side - length :] = True
    return found


# What is in the table


@ALL_TASKS
@pytest.mark.parametrize("batch_size", [7, 64])
def test_every_column_is_its_formula_for_each_structure_and_class(task: Task, batch_size: int) -> None:
    dataset, said = random(task)
    found = evaluate(said, dataset, threshold=0.5, batch_size=batch_size)
    table = found.samples
    assert (table.classes, table.structures) == (list(task.classes), list(task.structures))
    assert table.id == dataset.ids.tolist()
    assert (table.has_mask, table.has_classes) == (bool(task.structures), bool(task.classes))
    left = dict(table.columns)
    for k, structure in enumerate(task.structures):
        for i, truth in enumerate(dataset.masks[:, k]):
            pred = said.mask_prob[i, k] > 0.5
            counts = {"truth_area": truth, "pred_area": pred, "intersection": truth & pred}
            for name, mask in counts.items():
                assert table.columns[f"{structure}/{name}"][i] == mask.sum()
            row = [table.columns[f"{structure}/{name}"][i] for name in BOUNDARY]
            distances = [hd95(pred, truth), surface_dice(pred, truth, 1.0), surface_dice(pred, truth, 2.0)]
            expected = [None] * 3 if not (pred.any() or truth.any()) else pytest.approx(distances, abs=1e-4)
            assert row == expected
        for name in ("truth_area", "pred_area", "intersection", *BOUNDARY):
            left.pop(f"{structure}/{name}")
    for k, name in enumerate(task.classes):
        assert left.pop(f"probability/{name}") == pytest.approx(said.class_prob[:, k], abs=1e-6)
    assert left == {}
    if task.structures:
        assert found.masks.shape == (30, len(task.structures), 12, 2)
        assert np.array_equal(np.unpackbits(found.masks, axis=3, count=12), said.mask_prob > 0.5)
    else:
        assert found.masks is found.curve is None


@ALL_TASKS
def test_a_table_survives_json_and_summarises_to_plain_json(task: Task) -> None:
    dataset, said = random(task)
    table = evaluate(said, dataset).samples
    again = SampleTable.model_validate_json(table.model_dump_json())
    assert again == table
    summary = summarise(table)
    assert summarise(again) == summary
    json.dumps(summary, allow_nan=False)


def test_structures_in_another_order_are_the_same_numbers() -> None:
    dataset, said = random(TASK)
    turned_task = TASK.model_copy(update={"structures": TASK.structures[::-1]})
    turned = replace(dataset, task=turned_task, masks=dataset.masks[:, ::-1])
    ours = evaluate(said, dataset).samples
    theirs = evaluate(Prepared(turned_task, said.mask_prob[:, ::-1], said.class_prob), turned).samples
    assert theirs.columns == ours.columns
    for name in METRICS.of_table(ours):
        assert METRICS[name].of(theirs) == pytest.approx(METRICS[name].of(ours), nan_ok=True)
    crossed = evaluate(Prepared(TASK, said.mask_prob[:, ::-1], None), dataset).samples
    assert not np.allclose(per_sample(crossed, "dice"), per_sample(ours, "dice")), "each is held to its own truth"


@pytest.mark.parametrize("structure", TASK.structures)
def test_one_structure_of_two_is_scored_as_if_it_stood_alone(structure: str) -> None:
    dataset, said = random(TASK)
    k = TASK.structures.index(structure)
    alone = TASK.model_copy(update={"structures": (structure,)})
    both = evaluate(said, dataset)
    one = evaluate(
        Prepared(alone, said.mask_prob[:, k], said.class_prob),
        replace(dataset, task=alone, masks=dataset.masks[:, [k]]),
    )
    assert both.samples.of_structure(structure) == one.samples
    assert np.array_equal(both.masks[:, [k]], one.masks)
    for name in OF_MASKS:
        expected = METRICS[name].of(one.samples)
        np.testing.assert_array_equal(METRICS[f"{name}/{structure}"].of(both.samples), expected)
        np.testing.assert_array_equal(per_sample(both.samples, f"{name}/{structure}"), expected)


def test_predictions_of_another_size_are_resized_structure_by_structure() -> None:
    large, _ = random(TASK, n=5, side=24)
    small = replace(large, images=large.images[..., ::2, ::2], masks=large.masks[..., ::2, ::2], image_size=12)
    prob = np.random.default_rng(1).random((5, 2, 12, 12))
    found = evaluate(Prepared(TASK, prob, None), small, truth=large, threshold=0.6)
    planes = [
        cv2.resize(p.astype(np.float32), (24, 24), interpolation=cv2.INTER_LINEAR) for p in prob.reshape(-1, 12, 12)
    ]
    expected = np.stack(planes).reshape(5, 2, 24, 24) > 0.6
    assert np.array_equal(np.unpackbits(found.masks, axis=3, count=24), expected)
    assert found.samples.overlap()[0].tolist() == (expected & large.masks).sum(axis=(2, 3)).tolist()


# What is refused


@pytest.mark.parametrize(
    ("masks", "classes", "problem"),
    [
        ((5, 8, 8), None, r"mask_prob: expected shape \(5, 2, 8, 8\), got \(5, 8, 8\)"),
        ((5, 1, 8, 8), None, r"mask_prob: expected shape \(5, 2, 8, 8\), got \(5, 1, 8, 8\)"),
        ((5, 3, 8, 8), None, r"mask_prob: expected shape \(5, 2, 8, 8\), got \(5, 3, 8, 8\)"),
        ((5, 8, 8, 2), None, r"mask_prob: expected shape \(5, 2, 8, 8\), got \(5, 8, 8, 2\)"),
        (None, (5, 3), r"class_prob: expected shape \(5, 4\), got \(5, 3\)"),
        ((5, 2, 8, 8), (5, 5), r"class_prob: expected shape \(5, 4\), got \(5, 5\)"),
        (None, (5,), r"class_prob: expected shape \(5, 4\), got \(5,\)"),
    ],
    ids=str,
)
def test_as_many_structures_and_classes_as_the_task_has(
    masks: tuple[int, ...] | None, classes: tuple[int, ...] | None, problem: str
) -> None:
    class Wrong:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(
                None if masks is None else np.zeros(masks),
                None if classes is None else np.full(classes, 1 / classes[-1]),
            )

    dataset = samples_of(TASK, squares([[1, 2]] * 5), [0] * 5)
    with pytest.raises(PredictionError, match=f"case X: {problem}"):
        evaluate(Wrong(), dataset, where="case X")


def test_nothing_is_given_that_a_task_does_not_ask_for() -> None:
    masks = samples_of(MASKS_ONLY, squares([[1, 2]] * 3))
    classes = samples_of(CLASSES_ONLY, np.zeros((3, 0, 8, 8), bool), [0, 1, 3])
    both = Prepared(TASK, np.zeros((3, 2, 8, 8)), np.full((3, 4), 0.25))
    with pytest.raises(PredictionError, match="class_prob: the task 'masks only' has no classes"):
        evaluate(both, masks)
    with pytest.raises(PredictionError, match="mask_prob: the task 'classes only' has no structures"):
        evaluate(both, classes)
    with pytest.raises(PredictionError, match="class_prob: the task 'masks only' has no classes"):
        best_threshold(both, masks)
    with pytest.raises(PredictionError, match="returned no masks"):
        best_threshold(Prepared(CLASSES_ONLY, None, both.class_prob), classes)


# Metrics


@pytest.fixture
def table() -> SampleTable:
    dataset, said = random(TASK, n=60)
    return evaluate(said, dataset).samples


def test_all_metrics_of_a_table_are_listed_in_their_order(table: SampleTable) -> None:
    expected = [one for name in WITH_VOLUMES for one in (name, f"{name}/core", f"{name}/oedema")] + OF_CLASSES
    assert list(METRICS.of_table(table)) == expected
    assert list(METRICS.of_table(table.of_structure("oedema"))) == WITH_VOLUMES + OF_CLASSES
    summary = summarise(table)
    assert [name for name in summary if name in METRICS] == expected
    assert set(summary) - set(expected) == {"n", "empty_predictions", "confusion", "per_class"}


@pytest.mark.parametrize("name", OF_MASKS)
def test_a_metric_of_masks_is_the_mean_over_structures_with_a_value(name: str, table: SampleTable) -> None:
    both = np.stack([per_sample(table, f"{name}/{structure}") for structure in TASK.structures])
    for i, value in enumerate(per_sample(table, name)):
        there = [one for one in both[:, i] if not np.isnan(one)]
        assert value == pytest.approx(sum(there) / len(there)) if there else np.isnan(value)
    known = (~np.isnan(both)).sum(axis=0)
    expected = {2} if name in ("dice", "iou", "miss_rate") else {0, 1, 2}
    assert set(known.tolist()) == expected, "the samples could not tell"


def test_undefined_values_and_false_alarms() -> None:
    """One sample found, one whose oedema is missed, one with a core that is not there, and one without anything."""
    truth = squares([[4, 4], [0, 4], [0, 0], [0, 0]])
    said = squares([[4, 4], [0, 0], [2, 0], [0, 0]])
    dataset = samples_of(MASKS_ONLY, truth, patients=["a", "b", "c", "c"])
    table = evaluate(Prepared(MASKS_ONLY, said.astype(float), None), dataset).samples
    nan, far = np.nan, np.hypot(8, 8)
    expected = {
        "dice": [1, 0.5, 0.5, 1],
        "dice/core": [1, 1, 0, 1],
        "dice/oedema": [1, 0, 1, 1],
        "iou": [1, 0.5, 0.5, 1],
        "miss_rate": [0, 0.5, 0.5, 0],
        "sensitivity": [1, 0, nan, nan],
        "sensitivity/core": [1, nan, nan, nan],
        "sensitivity/oedema": [1, 0, nan, nan],
        "precision": [1, 0, 0, nan],
        "precision/core": [1, nan, 0, nan],
        "precision/oedema": [1, 0, nan, nan],
        "hd95": [0, far, far, nan],
        "hd95/core": [0, nan, far, nan],
        "surface_dice_1px": [1, 0, 0, nan],
        "surface_dice_2px/oedema": [1, 0, nan, nan],
    }
    summary = summarise(table)
    for name, values in expected.items():
        assert per_sample(table, name) == pytest.approx(values, abs=1e-4, nan_ok=True), name
        defined = np.array(values)[~np.isnan(values)]
        assert summary[name]["slice_mean"] == pytest.approx(defined.mean(), abs=1e-4)
        assert summary[name]["undefined"] == np.isnan(values).sum()
        assert np.isnan(gated_value(table, name, "slice-mean", 16)) == (len(defined) < 4), "the gate refuses it"
    assert summary["hd95"]["patient_mean"] == pytest.approx((0 + far + far) / 3, abs=1e-4)
    assert table.columns["core/hd95"] == [0.0, None, round(far, 4), None]
    assert summary["empty_predictions"] == 2, "of all structures together"


def test_a_structure_or_class_that_is_not_there_is_no_metric(table: SampleTable) -> None:
    with pytest.raises(StatsError, match="dice/necrosis: the table has no structure 'necrosis'"):
        per_sample(table, "dice/necrosis")
    with pytest.raises(UnknownNameError, match="accuracy/core"):
        per_sample(table, "accuracy/core")


def test_metrics_of_four_classes_are_scikit_learns(table: SampleTable) -> None:
    truth, predicted, prob = table.labels, table.predicted(), table.class_prob
    prob = prob / prob.sum(axis=1, keepdims=True)  # it asks for more digits than tables keep
    theirs = {
        "auroc": sk.roc_auc_score(truth, prob, multi_class="ovr", average="macro"),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "macro_f1": sk.f1_score(truth, predicted, average="macro"),
        "accuracy": sk.accuracy_score(truth, predicted),
        "nll": sk.log_loss(truth, prob),
        "brier": ((prob - np.eye(4)[truth]) ** 2).sum(axis=1).mean(),
    }
    assert {name: float(METRICS[name].of(table).mean()) for name in theirs} == pytest.approx(theirs, abs=1e-5)
    summary = summarise(table)
    assert summary["confusion"] == sk.confusion_matrix(truth, predicted).tolist()
    report = sk.classification_report(truth, predicted, target_names=TASK.classes, output_dict=True)
    assert list(summary["per_class"]) == list(TASK.classes)
    for k, name in enumerate(TASK.classes):
        ours, own = summary["per_class"][name], report[name]
        expected = {"precision": own["precision"], "recall": own["recall"], "f1": own["f1-score"]}
        expected["auroc"] = sk.roc_auc_score(truth == k, prob[:, k])
        assert ours == pytest.approx(expected, abs=1e-5)


def test_a_class_that_nobody_has_keeps_its_row() -> None:
    """The last too: the confusion matrix is as large as the task, and not as what was seen."""
    dataset = samples_of(CLASSES_ONLY, np.zeros((3, 0, 8, 8), bool), [0, 1, 1])
    said = np.eye(4)[[0, 1, 0]]
    summary = summarise(evaluate(Prepared(CLASSES_ONLY, None, said), dataset).samples)
    assert summary["confusion"] == [[1, 0, 0, 0], [1, 1, 0, 0], [0] * 4, [0] * 4]
    assert summary["per_class"]["grade 4"] == dict.fromkeys(("precision", "recall", "f1", "auroc"))
    assert summary["accuracy"]["by_class"] == {"benign": 1.0, "grade 2": 0.5, "grade 3": None, "grade 4": None}


# Means


def test_means_within_classes_sizes_and_patients(table: SampleTable) -> None:
    summary = summarise(table, batch_mean_size=7)
    third = size_of(table)
    areas = table.truth_area.sum(axis=1)
    assert np.bincount(third).tolist() == [20, 20, 20]
    assert areas[third == 0].max() <= areas[third == 1].min() <= areas[third == 1].max() <= areas[third == 2].min()
    for name in METRICS.of_table(table):
        if METRICS[name].level == "set":
            continue
        values, entry = per_sample(table, name), summary[name]
        known = ~np.isnan(values)
        assert entry["undefined"] == (~known).sum()
        assert list(entry["by_class"]) == list(TASK.classes)
        for k, one in enumerate(TASK.classes):
            assert entry["by_class"][one] == pytest.approx(values[known & (table.labels == k)].mean())
        for k, one in enumerate(SIZES):
            inside = values[known & (third == k)]
            assert entry["by_size"][one] == (pytest.approx(inside.mean()) if len(inside) else None)
        defined = values[known]
        assert entry["batch_mean"] == pytest.approx(
            np.mean([defined[i : i + 7].mean() for i in range(0, len(defined), 7)])
        )
        patients = [patient for patient, there in zip(table.patient, known, strict=True) if there]
        assert entry["patient_mean"] == pytest.approx(patient_mean(defined, patients))
        assert ("volume_mean" in entry) == (METRICS[name].needs == "mask")


def test_a_volumes_value_is_of_its_pixels_together() -> None:
    """Two volumes, whose samples do not stand beside each other; of the second the oedema is nowhere."""
    truth = squares([[8, 2], [4, 0], [2, 6], [0, 0]])
    said = squares([[8, 0], [0, 0], [4, 6], [2, 0]])
    dataset = samples_of(MASKS_ONLY, truth, volumes=["V10", "V9", "V10", "V9"], patients=["a", "b", "a", "b"])
    table = evaluate(Prepared(MASKS_ONLY, said.astype(float), None), dataset).samples
    pooled = table.by_volume()
    assert pooled is not None
    assert (pooled.id, pooled.patient, pooled.structures) == (["V10", "V9"], ["a", "b"], ["core", "oedema"])
    intersection, pred, area = pooled.overlap()
    assert area.tolist() == [[64 + 4, 4 + 36], [16, 0]]
    assert pred.tolist() == [[64 + 16, 36], [4, 0]]
    assert intersection.tolist() == [[64 + 4, 36], [0, 0]]
    core, oedema = [2 * 68 / (68 + 80), 0], [2 * 36 / (40 + 36), 1]
    summary = summarise(table)
    assert summary["dice/core"]["volume_mean"] == pytest.approx(np.mean(core), abs=1e-6)
    assert summary["dice/oedema"]["volume_mean"] == pytest.approx(np.mean(oedema), abs=1e-6)
    assert summary["dice"]["volume_mean"] == pytest.approx(np.mean([core, oedema]), abs=1e-6)
    assert summary["sensitivity/oedema"]["volume_mean"] == pytest.approx(36 / 40), "a volume without it has no value"
    assert summary["sensitivity/oedema"]["undefined"] == 2, "samples without it are counted all the same"
    assert "volume_mean" not in summary["hd95"]
    assert summary["dice"]["slice_mean"] != pytest.approx(summary["dice"]["volume_mean"], abs=0.01)


def test_what_cannot_be_pooled_has_no_volumes(table: SampleTable) -> None:
    assert table.by_volume() is not None
    alone = SampleTable(**table.model_dump(exclude={"volume"}))
    assert alone.by_volume() is None
    dataset, said = random(CLASSES_ONLY)
    assert evaluate(said, dataset).samples.by_volume() is None
    for one in (alone, evaluate(said, dataset).samples):
        assert not any("volume_mean" in entry for entry in summarise(one).values() if isinstance(entry, dict))


# Thresholds


@pytest.mark.parametrize("task", [task for task in TASKS if task.structures], ids=lambda task: task.name)
def test_a_curve_is_the_mean_over_samples_and_structures(task: Task) -> None:
    dataset, said = random(task)
    tables = [evaluate(said, dataset, threshold=threshold).samples for threshold in GRID]
    means = [float(per_sample(one, "dice").mean()) for one in tables]
    curve = curve_of(said, dataset.part(np.arange(30)))
    assert curve.dice == pytest.approx(means, abs=1e-6)
    assert evaluate(said, dataset, batch_size=7).curve == curve
    assert best_threshold(said, dataset) == GRID[int(np.argmax(np.round(means, 6)))]


def test_the_best_threshold_is_best_for_all_structures_together() -> None:
    """Each alone would be best at a threshold of its own; one that is not there wants nothing."""
    truth = squares([[4, 6], [4, 6], [0, 6]])
    dataset = samples_of(MASKS_ONLY, truth)
    core = np.where(truth[:, 0], 0.28, 0.23)  # right from 0.25 on, and empty from 0.3 on
    oedema = np.where(truth[:, 1], 0.82, 0.73)  # right from 0.75 on
    said = Prepared(MASKS_ONLY, np.stack([core, oedema], axis=1), None)
    dice = curve_of(said, dataset).dice
    whole, part = 2 * 16 / (16 + 64), 2 * 36 / (36 + 64)
    below, at_25, at_30, at_75 = (whole * 2 / 3 + part) / 2, (1 + part) / 2, (1 / 3 + part) / 2, (1 / 3 + 1) / 2
    assert dice[:4] == pytest.approx([below] * 4, abs=1e-6)
    assert dice[4] == pytest.approx(at_25, abs=1e-6)
    assert dice[5:14] == pytest.approx([at_30] * 9, abs=1e-6)
    assert dice[14:16] == pytest.approx([at_75] * 2, abs=1e-6)
    assert best_threshold(said, dataset) == 0.25
    oedema_only = TASK.model_copy(update={"structures": ("oedema",), "classes": ()})
    alone = replace(dataset, task=oedema_only, masks=truth[:, 1:])
    assert best_threshold(Prepared(oedema_only, said.mask_prob[:, 1:], None), alone) == 0.75


# Tasks that ask for one of the two


def test_a_task_of_structures_alone_has_nothing_of_classes() -> None:
    dataset, said = random(MASKS_ONLY)
    table = evaluate(said, dataset).samples
    assert table.label is None
    assert not table.has_classes
    assert not [name for name in table.columns if name.startswith("probability")]
    summary = summarise(table)
    of_both = {name for base in OF_MASKS for name in (base, f"{base}/core", f"{base}/oedema")}
    of_volumes = {"dice_volume", "dice_volume/core", "dice_volume/oedema"}
    assert set(summary) == {"n", "empty_predictions"} | of_both | of_volumes
    assert all(summary[name] == summary[name.replace("_volume", "")]["volume_mean"] for name in of_volumes)
    parts = {"slice_mean", "std", "batch_mean", "patient_mean", "by_size", "undefined"}
    for name in of_both:
        expected = parts | {"volume_mean"} if METRICS[name].needs == "mask" else parts
        assert set(summary[name]) == expected
    assert list(table.to_frame()) == ["id", "patient", "volume", *table.columns]
    for name in ("accuracy", "macro_f1"):
        with pytest.raises(StatsError, match=f"{name}: the table has no class probabilities"):
            gated_value(table, name, "slice-mean", 16)


def test_a_task_of_classes_alone_has_nothing_of_masks() -> None:
    dataset, said = random(CLASSES_ONLY)
    found = evaluate(said, dataset)
    table = found.samples
    assert found.masks is found.curve is None
    assert list(table.columns) == [f"probability/{name}" for name in TASK.classes]
    assert not table.has_mask
    assert not table.has_boundary
    assert list(METRICS.of_table(table)) == OF_CLASSES
    summary = summarise(table)
    assert set(summary) == {"n", "confusion", "per_class", *OF_CLASSES}
    assert np.shape(summary["confusion"]) == (4, 4)
    assert set(summary["accuracy"]) == {"slice_mean", "std", "batch_mean", "patient_mean", "by_class", "undefined"}
    assert list(summary["accuracy"]["by_class"]) == list(TASK.classes)
    assert summary["accuracy"]["slice_mean"] == (said.class_prob.argmax(axis=1) == dataset.labels).mean()
    frame = table.to_frame()
    assert list(frame) == ["id", "label", "patient", "volume", *table.columns, "predicted", "correct"]
    for name in ("dice", "dice/core", "hd95"):
        with pytest.raises(StatsError, match=f"{name}: the table has no"):
            per_sample(table, name)


def test_a_model_may_answer_a_part_of_what_a_task_asks() -> None:
    dataset, said = random(TASK)
    masks = evaluate(Prepared(TASK, said.mask_prob, None), dataset).samples
    classes = evaluate(Prepared(TASK, None, said.class_prob), dataset).samples
    both = evaluate(said, dataset).samples
    assert masks.label == classes.label == both.label
    areas = {f"{structure}/truth_area": both.columns[f"{structure}/truth_area"] for structure in TASK.structures}
    assert masks.columns | classes.columns == both.columns
    assert {name: classes.columns[name] for name in areas} == areas
    assert "by_class" in summarise(masks)["dice"]
    assert "by_size" in summarise(classes)["accuracy"]
