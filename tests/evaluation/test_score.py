"""Evaluation is one NumPy implementation: nothing depends on batches, and nothing wrong gets through."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from btlib import evaluate
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation import batch_mean
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.resizing import resized
from btlib.sample_table import BOUNDARY, SampleTable
from btlib.types import Predictions
from tests.evaluation.saved_as import saved_as

Make = Callable[..., Dataset]


class Noisy:
    """Says what the sample itself says, so that its prediction does not depend on its neighbours in the batch."""

    def predict(self, images: np.ndarray) -> Predictions:
        mask = np.clip(images / 7, 0, 1)
        scores = np.exp(images.mean(axis=(1, 2, 3)))[:, None] ** np.arange(3)
        return Predictions(mask, scores / scores.sum(axis=1, keepdims=True))


class Says:
    """Gives what it was told to."""

    def __init__(self, **parts: Callable[[int, int, int], np.ndarray]) -> None:
        self.parts = parts

    def predict(self, images: np.ndarray) -> Predictions:
        n, _, h, w = images.shape
        return Predictions(**{"mask_prob": None, "class_prob": None} | {k: f(n, h, w) for k, f in self.parts.items()})


def test_the_batch_size_changes_nothing(make_dataset: Make) -> None:
    dataset = make_dataset(23)
    one, seven, all_at_once = (evaluate(Noisy(), dataset, batch_size=b).samples for b in (1, 7, 64))
    assert one == seven == all_at_once
    assert one.n == 23
    assert per_sample(one, "dice").std() > 0.01  # a table of equal numbers could not tell


def column(table: SampleTable, measure: str) -> list[Any]:
    """Of the tumours."""
    return table.columns[f"tumour/{measure}"]


def test_a_row_says_what_its_sample_is(make_dataset: Make) -> None:
    dataset = make_dataset(9)
    at = np.array([7, 2, 4])
    table = evaluate(Noisy(), dataset, at).samples
    assert table.id == ["80", "30", "50"]
    assert table.label == dataset.labels[at].tolist()
    assert table.patient == ["P003", "P001", "P002"]
    assert table.volume is None
    assert column(table, "truth_area") == dataset.masks[at].sum(axis=(1, 2, 3)).tolist()
    prob = Noisy().predict(dataset.images[at]).mask_prob
    assert prob is not None
    pred = prob > 0.65
    assert column(table, "pred_area") == pred.sum(axis=(1, 2, 3)).tolist()
    assert column(table, "intersection") == (pred & dataset.masks[at]).sum(axis=(1, 2, 3)).tolist()
    volumes = replace(dataset, volumes=tuple(f"V{i // 2}" for i in range(9)))
    assert evaluate(Noisy(), volumes, at).samples.volume == ["V3", "V1", "V2"]
    part = evaluate(Noisy(), dataset.part(at)).samples
    assert part == table, "a part is scored as what it is a part of"


def test_a_transposed_mask_is_another_number(make_dataset: Make) -> None:
    """Squares off the diagonal: a mask turned over its diagonal misses most of them."""

    class Sees:
        def __init__(self, turn: bool) -> None:
            self.turn = turn

        def predict(self, images: np.ndarray) -> Predictions:
            mask = (images > 2).astype(np.float32)
            return Predictions(np.swapaxes(mask, 2, 3) if self.turn else mask, None)

    dataset = make_dataset(12)
    assert per_sample(evaluate(Sees(False), dataset).samples, "dice").min() > 0.9
    assert per_sample(evaluate(Sees(True), dataset).samples, "dice").mean() < 0.6


def test_the_threshold_is_strict_and_on_probabilities(make_dataset: Make) -> None:
    """A pixel at the threshold is not in the mask."""
    at_it = Says(mask_prob=lambda n, h, w: np.full((n, h, w), 0.65))
    above = Says(mask_prob=lambda n, h, w: np.full((n, h, w), 0.6501))
    assert column(evaluate(at_it, make_dataset(3)).samples, "pred_area") == [0, 0, 0]
    assert column(evaluate(above, make_dataset(3)).samples, "pred_area") == [1024, 1024, 1024]
    assert column(evaluate(at_it, make_dataset(3), threshold=0.5).samples, "pred_area") == [1024, 1024, 1024]


def test_throughput_is_of_what_was_predicted(make_dataset: Make) -> None:
    evaluation = evaluate(Noisy(), make_dataset(9))
    assert evaluation.predict_seconds > 0
    assert evaluation.images_per_second == 9 / evaluation.predict_seconds


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({}, "returned neither masks nor classes"),
        ({"mask_prob": lambda n, h, w: np.zeros((n, 1, 1, h, w))}, r"mask_prob: expected shape \(5, 1, 32, 32\)"),
        ({"mask_prob": lambda n, h, w: np.zeros((n, 2, h, w))}, r"mask_prob: expected shape \(5, 1, 32, 32\)"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), np.nan)}, "5120 of 5120 values are not finite"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), 3.0)}, "0…1, got 3…3\nHint: apply a sigmoid"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), -0.1)}, "0…1, got -0.1"),
        ({"class_prob": lambda n, h, w: np.full((n, 4), 0.25)}, r"class_prob: expected shape \(5, 3\)"),
        ({"class_prob": lambda n, h, w: np.full((n, 3), 0.5)}, "must sum to 1, got 1.5"),
        ({"class_prob": lambda n, h, w: np.tile([np.nan, 0.5, 0.5], (n, 1))}, "not finite"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), 0.5 + 0.1j)}, "real numbers, got dtype complex128"),
        ({"class_prob": lambda n, h, w: np.full((n, 3), None)}, "class_prob: expected real numbers, got dtype object"),
        ({"mask_prob": lambda n, h, w: np.full((n, h, w), "0.5")}, "real numbers, got dtype <U3"),
        ({"mask_prob": lambda n, h, w: np.zeros((n, h, w), "f4,f4")}, "real numbers, got dtype"),
        ({"mask_prob": lambda n, h, w: np.zeros((n, h, w), "m8[s]")}, "real numbers, got dtype"),
        ({"mask_prob": lambda n, h, w: np.ma.masked_all((n, h, w))}, "plain array, got a masked one"),
    ],
    ids=[
        *(
            "nothing",
            "an axis more",
            "two structures",
            "NaN",
            "logits",
            "negative",
            "four classes",
            "no softmax",
            "NaN in a class",
        ),
        *("complex", "objects", "text", "structured", "times", "masked"),
    ],
)
def test_what_cannot_be_scored_is_refused(parts: dict[str, Any], problem: str, make_dataset: Make) -> None:
    with pytest.raises(PredictionError, match=rf"case X: (.|\n)*{problem}"):
        evaluate(Says(**parts), make_dataset(5), where="case X")


def test_something_else_than_predictions(make_dataset: Make) -> None:
    class Bare:
        def predict(self, images: np.ndarray) -> Any:
            return images

    with pytest.raises(PredictionError, match="expected Predictions, got ndarray"):
        evaluate(Bare(), make_dataset(3))


def test_masks_in_one_batch_only(make_dataset: Make) -> None:
    class Forgetful:
        def predict(self, images: np.ndarray) -> Predictions:
            full = len(images) == 4
            return Predictions(np.zeros(images.shape) if full else None, np.full((len(images), 3), 1 / 3))

    with pytest.raises(PredictionError, match="returned masks for 4 of 6 samples"):
        evaluate(Forgetful(), make_dataset(6), batch_size=4)


@pytest.mark.parametrize("at", [[0, 1, 2, 3, 4], [4, 1, 3, 0], [3]], ids=str)
def test_two_empty_masks_agree_and_have_no_distance(at: list[int], make_dataset: Make) -> None:
    """Whatever the batch and the order; and an empty mask of a tumour that is there is a miss."""
    dataset = make_dataset(5)
    dataset.masks[3] = False
    nothing = Says(mask_prob=lambda n, h, w: np.zeros((n, h, w)))
    table = evaluate(nothing, dataset, np.array(at), batch_size=2, where="case X").samples
    agree = np.array(at) == 3
    assert per_sample(table, "dice") == pytest.approx(agree.astype(float), abs=1e-6)
    for name, miss in (("hd95", round(float(np.hypot(32, 32)), 4)), ("surface_dice_1px", 0), ("surface_dice_2px", 0)):
        assert column(table, name) == [None if one else miss for one in agree]
        assert np.array_equal(np.isnan(per_sample(table, name)), agree)


def test_a_false_alarm_is_a_miss(make_dataset: Make) -> None:
    dataset = make_dataset(3)
    dataset.masks[1] = False
    table = evaluate(Noisy(), dataset, threshold=0.1).samples
    assert table.overlap()[1].min() > 0
    worst = {"dice": 0, "iou": 0, "precision": 0, "miss_rate": 1, "surface_dice_2px": 0, "hd95": np.hypot(32, 32)}
    for name, value in worst.items():
        assert per_sample(table, name)[1] == pytest.approx(value, abs=1e-4), name
    assert np.isnan(per_sample(table, "sensitivity")).tolist() == [False, True, False]


def test_no_slices_at_all(make_dataset: Make) -> None:
    with pytest.raises(PredictionError, match="no samples to score"):
        evaluate(Noisy(), make_dataset(6), np.array([], dtype=np.int64))


def test_the_mean_of_batch_means_is_another_number_than_the_slice_mean() -> None:
    """612 samples in batches of 16 leave 4 for the last, which weigh fourfold in the thesis's README."""
    values = np.concatenate([np.ones(608), np.zeros(4)])
    assert batch_mean(values, 16) == pytest.approx(38 / 39)
    assert values.mean() == pytest.approx(608 / 612)
    assert batch_mean(values[:608], 16) == 1


def test_masks_of_another_size_are_scored_at_the_protocols(make_dataset: Callable[..., Dataset]) -> None:
    """A model that works at half the size is held to the same pixels as all others."""
    large = make_dataset(6, size=32)
    small = replace(
        large, images=large.images[..., ::2, ::2], masks=large.masks[..., ::2, ::2], image_size=16, scaling="percentile"
    )
    shapes = []

    class Half:
        def predict(self, images: np.ndarray) -> Predictions:
            shapes.append(images.shape)
            return Predictions(small.masks.astype(np.float32), None)

    table = evaluate(Half(), small, truth=large, threshold=0.5).samples
    assert shapes == [(6, 1, 16, 16)]
    assert column(table, "truth_area") == large.masks.sum(axis=(1, 2, 3)).tolist()
    resized = np.stack(
        [cv2.resize(m.astype(np.float32), (32, 32), interpolation=cv2.INTER_LINEAR) for m in small.masks[:, 0]]
    )
    assert column(table, "pred_area") == (resized > 0.5).sum(axis=(1, 2)).tolist()
    assert per_sample(table, "dice").mean() > 0.8


@pytest.mark.parametrize("change", ["fewer", "others", "another order"])
def test_truth_of_other_slices_is_refused(change: str, make_dataset: Make) -> None:
    """As many samples are not the same samples, and the same ones in another order would be paired wrongly."""
    dataset = make_dataset(6)
    truth = {
        "fewer": dataset.limit(5),
        "others": replace(dataset, ids=np.char.add(dataset.ids, "b")),
        "another order": dataset.subset(np.array([0, 2, 1, 3, 4, 5])),
    }[change]
    with pytest.raises(
        PredictionError, match=r"case X: the predicted images and the true masks belong to different samples"
    ):
        evaluate(Noisy(), dataset, truth=truth, where="case X")


def test_masks_are_scored_on_the_truth_that_is_given(make_dataset: Make) -> None:
    """Overlap, distances and curve: of none of them is the predictor's own data set the truth."""
    dataset = make_dataset(9, size=24)
    truth = replace(dataset, masks=np.roll(dataset.masks, (3, 1), axis=(2, 3)), mask_digests=None)
    at = np.array([8, 1, 4, 5, 2])
    found = evaluate(Noisy(), dataset, at, truth=truth, batch_size=2)
    expected = evaluate(Noisy(), replace(dataset, masks=truth.masks), at)
    assert found.samples == expected.samples != evaluate(Noisy(), dataset, at).samples
    assert found.curve == expected.curve != evaluate(Noisy(), dataset, at).curve


class Rising:
    """Probabilities that rise over the width and a little over the height, whatever the image."""

    def predict(self, images: np.ndarray) -> Predictions:
        n, _, h, w = images.shape
        one = np.linspace(0, 1, w) * np.linspace(0.9, 1, h)[:, None]
        return Predictions(np.broadcast_to(one, (n, h, w)), None)


def test_probabilities_are_resized_bilinearly_before_the_threshold(make_dataset: Make) -> None:
    large = make_dataset(3, size=32)
    small = replace(large, images=large.images[..., ::2, ::2], masks=large.masks[..., ::2, ::2], image_size=16)
    prob = Rising().predict(small.images).mask_prob
    assert prob is not None
    wanted = np.stack([cv2.resize(one.astype(np.float32), (32, 32), interpolation=cv2.INTER_LINEAR) for one in prob])
    found = evaluate(Rising(), small, truth=large, threshold=0.4)
    assert found.masks is not None
    assert (np.unpackbits(found.masks[:, 0], axis=2, count=32) == (wanted > 0.4)).all()
    assert column(found.samples, "pred_area") == (wanted > 0.4).sum(axis=(1, 2)).tolist()
    assert found.curve is not None
    at_4 = per_sample(found.samples, "dice").mean()
    assert found.curve.dice[found.curve.thresholds.index(0.4)] == pytest.approx(at_4, abs=1e-6)


def test_a_resized_mask_keeps_its_height_and_width() -> None:
    prob = np.random.default_rng(0).random((2, 3, 4, 6)).astype(np.float32)
    assert resized(prob, (2, 3, 8, 18)).shape == (2, 3, 8, 18)
    assert resized(prob, (2, 3, 4, 6)) is prob
    assert (resized(prob, (2, 3, 8, 12))[..., ::7, ::11] == prob[..., ::3, ::5]).all()  # the corners stay


class Spy:
    """Goes by ids, and notes what it was asked and in which order."""

    def __init__(self, calls: list[tuple[object, ...]]) -> None:
        self.calls = calls

    def require(self, ids: np.ndarray, kind: str = "samples") -> None:
        self.calls.append(("require", ids.tolist(), kind))

    def look_up(self, ids: np.ndarray, images: np.ndarray) -> Predictions:
        assert images.dtype == np.float32
        assert images.flags.c_contiguous
        self.calls.append(("predict", ids.tolist(), images[:, 0, 0, 0].tolist()))
        return Noisy().predict(images)


def test_a_predictor_is_asked_of_the_chosen_samples_in_batches(make_dataset: Make) -> None:
    dataset = make_dataset(40, size=16)
    wide = replace(dataset, images=np.asfortranarray(dataset.images.astype(np.float64)))
    at = np.array([39, *range(20), 21])
    calls: list[tuple[object, ...]] = []
    evaluate(saved_as(Spy(calls)), wide, at)
    corners = dataset.images[:, 0, 0, 0]
    assert calls == [
        ("require", dataset.ids[at].tolist(), "test samples"),
        ("predict", dataset.ids[at[:16]].tolist(), corners[at[:16]].tolist()),
        ("predict", dataset.ids[at[16:]].tolist(), corners[at[16:]].tolist()),
    ]
    calls.clear()
    evaluate(saved_as(Spy(calls)), dataset, batch_size=20)
    assert [call[1] for call in calls] == [
        dataset.ids.tolist(),
        dataset.ids[:20].tolist(),
        dataset.ids[20:].tolist(),
    ]


def test_others_are_given_images_alone_in_batches(make_dataset: Make) -> None:
    dataset = make_dataset(40, size=16)
    wide = replace(dataset, images=np.asfortranarray(dataset.images.astype(np.float64)))
    at = np.array([39, *range(20), 21])
    calls: list[list[float]] = []

    class Sees:
        def require(self, *given: object) -> None:
            raise AssertionError("it has nothing saved")

        look_up = require

        def predict(self, images: np.ndarray) -> Predictions:
            assert images.dtype == np.float32
            assert images.flags.c_contiguous
            calls.append(images[:, 0, 0, 0].tolist())
            return Noisy().predict(images)

    evaluate(Sees(), wide, at)
    corners = dataset.images[at, 0, 0, 0].tolist()
    assert calls == [corners[:16], corners[16:]]


def test_only_predicting_is_timed(monkeypatch: pytest.MonkeyPatch, make_dataset: Make) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    class Slow:
        def require(self, ids: np.ndarray, kind: str = "samples") -> None:
            clock[0] += 1000

        def look_up(self, ids: np.ndarray, images: np.ndarray) -> Predictions:
            clock[0] += len(images) / 4
            return Noisy().predict(images)

    found = evaluate(saved_as(Slow()), make_dataset(10), batch_size=4)
    assert found.predict_seconds == 2.5
    assert found.images_per_second == 4.0


def test_packed_masks_are_those_that_were_scored(make_dataset: Make) -> None:
    dataset = make_dataset(7, size=20)  # the width is no multiple of eight
    at = np.array([6, 0, 3, 2])
    found = evaluate(Noisy(), dataset, at, batch_size=3, threshold=0.5)
    assert found.masks is not None
    assert found.masks.shape == (4, 1, 20, 3)
    prob = Noisy().predict(dataset.images[at]).mask_prob
    assert prob is not None
    expected = prob > 0.5
    assert (np.unpackbits(found.masks, axis=3, count=20) == expected).all()


def test_what_a_model_does_not_give_is_none(make_dataset: Make) -> None:
    classes = evaluate(Says(class_prob=lambda n, h, w: np.full((n, 3), 1 / 3)), make_dataset(5))
    assert classes.masks is None
    assert classes.curve is None
    assert [name for name in classes.samples.columns if name.startswith("tumour/")] == ["tumour/truth_area"]
    assert classes.samples.class_prob.tolist() == [[0.333333] * 3] * 5  # six digits
    masks = evaluate(Says(mask_prob=lambda n, h, w: np.full((n, h, w), 0.9)), make_dataset(5)).samples
    assert not masks.has_classes
    assert all(name.startswith("tumour/") for name in masks.columns)


def test_distances_have_four_digits(make_dataset: Make) -> None:
    table = evaluate(Noisy(), make_dataset(9)).samples
    for name in BOUNDARY:
        values = column(table, name)
        assert values == [round(value, 4) for value in values]
    assert any(value != round(value, 3) for value in column(table, "surface_dice_1px"))


def test_classes_in_one_batch_only(make_dataset: Make) -> None:
    class Forgetful:
        def predict(self, images: np.ndarray) -> Predictions:
            full = len(images) == 4
            return Predictions(np.ones(images.shape), np.full((len(images), 3), 1 / 3) if full else None)

    with pytest.raises(PredictionError, match="case X: returned classes for 4 of 6 samples"):
        evaluate(Forgetful(), make_dataset(6), batch_size=4, where="case X")


@pytest.mark.parametrize("sum_of_row", [1.0009, 0.9991, 1.0])
def test_probabilities_may_miss_1_by_a_thousandth(sum_of_row: float, make_dataset: Make) -> None:
    row = [0.5, 0.3, sum_of_row - 0.8]
    only_last = Says(class_prob=lambda n, h, w: np.array([[1.0, 0, 0]] * (n - 1) + [row]))
    assert evaluate(only_last, make_dataset(3)).samples.predicted().tolist() == [0, 0, 0]


@pytest.mark.parametrize("sum_of_row", [1.0011, 0.9989])
def test_probabilities_may_not_miss_1_by_more(sum_of_row: float, make_dataset: Make) -> None:
    row = [0.5, 0.3, sum_of_row - 0.8]
    only_last = Says(class_prob=lambda n, h, w: np.array([[1.0, 0, 0]] * (n - 1) + [row]))
    with pytest.raises(PredictionError, match=f"case X: class_prob: each row must sum to 1, got {sum_of_row}"):
        evaluate(only_last, make_dataset(3), where="case X")


@pytest.mark.parametrize("value", [-1e-6, 1 + 1e-6, np.inf, np.nan])
@pytest.mark.parametrize("part", ["mask_prob", "class_prob"])
def test_one_value_out_of_range_is_too_many(part: str, value: float, make_dataset: Make) -> None:
    def one(n: int, h: int, w: int) -> np.ndarray:
        prob = np.zeros((n, h, w)) if part == "mask_prob" else np.tile([1.0, 0, 0], (n, 1))
        prob.flat[-1] = value
        return prob

    problem = r"expected probabilities in 0…1" if np.isfinite(value) else r"1 of \d+ values are not finite"
    with pytest.raises(PredictionError, match=f"case X: {part}: {problem}"):
        evaluate(Says(**{part: one}), make_dataset(3), where="case X")


@pytest.mark.parametrize("wrong", [(3, 24, 32), (2, 32, 32), (3, 32, 32, 1), (1, 3, 32, 32), (3, 1, 24, 32)])
def test_masks_are_of_the_images_shape(wrong: tuple[int, ...], make_dataset: Make) -> None:
    with pytest.raises(PredictionError, match=r"case X: mask_prob: expected shape \(3, 1, 32, 32\), got \("):
        evaluate(Says(mask_prob=lambda n, h, w: np.zeros(wrong)), make_dataset(3), where="case X")


def test_masks_of_one_structure_may_lack_its_axis(make_dataset: Make) -> None:
    dataset = make_dataset(5)
    flat = Says(mask_prob=lambda n, h, w: np.tri(h, w)[None].repeat(n, axis=0))
    with_axis = Says(mask_prob=lambda n, h, w: np.tri(h, w)[None, None].repeat(n, axis=0))
    found = evaluate(flat, dataset), evaluate(with_axis, dataset)
    assert found[0].samples == found[1].samples
    assert np.array_equal(found[0].masks, found[1].masks)
