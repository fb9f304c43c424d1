"""Each check is failed by a predictor that breaks its promise, and by no other; a sound one passes all."""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from btlib.adapters import CallablePredictor, SavedPredictions, save_predictions
from btlib.cases import Case, Prepared, Work
from btlib.conformance import CHECKS, Subject, examine
from btlib.data.dataset import Dataset
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42
from btlib.types import Predictions

Examine = Callable[..., dict[str, tuple[str, str]]]


def sound(images: np.ndarray) -> Predictions:
    """Each image by itself, whatever its size."""
    mean = images.mean(axis=(1, 2, 3)) / 8
    return Predictions(images / 8, np.stack([mean, mean / 2, 1 - mean * 1.5], axis=1))


class Model:
    def __init__(self, predict: Callable[[np.ndarray], object]) -> None:
        self.predict = predict


@pytest.fixture
def run(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Examine:
    """Examines a case that has this `predict`, or this `prepare`; gives outcome and message by check."""

    def go(
        predict: Callable[[np.ndarray], object] = sound,
        prepare: Callable[[Work], object] | None = None,
        *,
        has_classes: bool = True,
        image_size: int | None = None,
    ) -> dict[str, tuple[str, str]]:
        ready = prepare or (lambda work: Prepared(Model(predict), "given"))
        case = Case("mine", "", True, has_classes, ready, image_size)
        data = make_dataset(12)
        split = slice_seed42(12)
        work = Work.on(data, split, Protocol(image_size=32), Recipe(), 0, tmp_path)
        subject = Subject(case, work, data.part(np.arange(6)), data.images[:6], data.ids[split.test])
        return {r.check: (r.outcome, r.message) for r in examine(subject)}

    return go


def failed(results: dict[str, tuple[str, str]]) -> list[str]:
    return [name for name, (outcome, _) in results.items() if outcome == "fail"]


def test_a_sound_case_passes_all(run: Examine):
    results = run()
    assert list(results) == list(CHECKS)
    assert set(results.values()) == {("pass", "")}


@pytest.mark.parametrize("part", ["mask", "classes"])
def test_one_that_gives_the_same_array_again_is_told_and_scored_right(run: Examine, part: str):
    """Or a view of its framework's buffer: what it said before changes under the hands of its reader."""
    buffers: dict[tuple[int, ...], np.ndarray] = {}

    def predict(images: np.ndarray) -> Predictions:
        fresh = sound(images)
        values = fresh.mask_prob if part == "mask" else fresh.class_prob
        assert values is not None
        buffer = buffers.setdefault(values.shape, np.empty_like(values))
        buffer[:] = values
        return Predictions(buffer, fresh.class_prob) if part == "mask" else Predictions(fresh.mask_prob, buffer)

    results = run(predict)
    assert failed(results) == []
    name = "mask_prob" if part == "mask" else "class_prob"
    outcome, message = results["own arrays"]
    assert outcome == "note"
    assert message.startswith(f"{name} of one call changes with the next")


def crash(images: np.ndarray) -> Predictions:
    raise ZeroDivisionError("by chance")


def no_classes(images: np.ndarray) -> Predictions:
    return Predictions(images / 8, None)


def a_sample_missing(images: np.ndarray) -> Predictions:
    return Predictions(images[:-1] / 8, None) if len(images) else no_classes(images)


def logits(images: np.ndarray) -> Predictions:
    return Predictions(images - 2, sound(images).class_prob)


def noise(images: np.ndarray) -> Predictions:
    return Predictions(images / 8 + np.random.default_rng().random(images.shape) / 8, sound(images).class_prob)


def counts_positions(images: np.ndarray) -> Predictions:
    return Predictions(images / 8 + np.arange(len(images))[:, None, None, None] / 100, sound(images).class_prob)


def statistics_of_the_batch(images: np.ndarray) -> Predictions:
    return Predictions(images / 8 + (images.mean() / 50 if len(images) else 0), sound(images).class_prob)


def halves(images: np.ndarray) -> Predictions:
    coarse = images[:, :, ::2, ::2].repeat(2, axis=2).repeat(2, axis=3)
    return Predictions(coarse / 8, sound(images).class_prob)


def turned(images: np.ndarray) -> Predictions:
    return Predictions(images.transpose(0, 1, 3, 2) / 8, sound(images).class_prob)


def riddle(images: np.ndarray) -> Predictions:
    first = images[0]
    return Predictions(images / 8 + first[0, 0, 0] * 0, sound(images).class_prob)


BROKEN = {
    "crash": (crash, "predict", "ZeroDivisionError: by chance"),
    "an array": (lambda images: images, "predict", "return btlib.types.Predictions"),
    "nothing": (lambda images: Predictions(None, None), "predict", "return at least one"),
    "a part missing": (no_classes, "declared parts", "declare has_classes=False in @case"),
    "logits": (logits, "ranges", "apply a sigmoid"),
    "noise": (noise, "determinism", "disable dropout"),
    "order": (counts_positions, "order", "predict each image separately"),
    "batch": (statistics_of_the_batch, "batch size", "set batch norm to eval mode"),
    "turned": (turned, "odd sizes", "images of 31×17: mask_prob has height and width swapped"),
    "riddle": (riddle, "empty input", "an empty batch: IndexError"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_fails_its_own_check(name: str, run: Examine):
    predict, check, message = BROKEN[name]
    results = run(predict)
    assert failed(results) == [check]
    assert message in results[check][1]
    assert "Hint: " in results[check][1]


def square_only(images: np.ndarray) -> Predictions:
    if images.shape[2] != images.shape[3]:
        raise TypeError("expected a square")
    return sound(images)


def one_class_for_odd_sizes(images: np.ndarray) -> Predictions:
    return sound(images) if images.shape[2] % 2 == 0 else Predictions(images / 8, np.ones((len(images), 1)))


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (halves, "mask_prob: expected shape (2, 1, 31, 17), got (2, 1, 32, 18)"),
        (square_only, "TypeError: expected a square"),
        (one_class_for_odd_sizes, "class_prob: expected shape (2, 3), got (2, 1)"),
    ],
)
def test_sizes_that_a_model_cannot_take_are_a_note(
    predict: Callable[[np.ndarray], Predictions], message: str, run: Examine
):
    results = run(predict)
    outcome, found = results.pop("odd sizes")
    assert outcome == "note"
    assert f"images of 31×17: {message}" in found
    assert "pad inside predict" in found
    assert set(results.values()) == {("pass", "")}


def test_wrong_shapes_fail_shapes_and_spare_what_builds_on_them(run: Examine):
    results = run(a_sample_missing, has_classes=False)
    assert failed(results) == ["shapes"]
    assert "expected shape (6, 1, 32, 32), got (5, 1, 32, 32)" in results["shapes"][1]
    assert "1 mask [h, w] and 3 classes for each image" in results["shapes"][1]
    assert results["ranges"] == ("skip", "'shapes' must pass first")


def leave(work: Work) -> Prepared:
    sys.exit("no GPU here")


def test_a_predictor_that_leaves_fails_its_checks(run: Examine):
    """And ends neither the other checks nor the command."""
    results = run(predict=lambda images: sys.exit(3))
    assert failed(results)
    assert "SystemExit" in str(results)


def test_a_prepare_that_fails(run: Examine):
    for prepare, message in (
        (crash, "by chance"),
        (leave, "SystemExit: no GPU here"),
        (lambda work: None, "prepare returned NoneType, expected Prepared"),
    ):
        results = run(prepare=prepare)
        assert failed(results) == ["prepare"]
        assert message in results["prepare"][1]
        del results["prepare"]
        assert set(results.values()) == {("skip", "no predictor")}


def test_another_model_each_time_it_is_prepared(run: Examine):
    times = count(1)

    def prepare(work: Work) -> Prepared:
        share = 8 * next(times)
        return Prepared(Model(lambda images: Predictions(images / share, sound(images).class_prob)), "given")

    results = run(prepare=prepare)
    assert failed(results) == ["save and load"]
    assert "save and load the complete model" in results["save and load"][1]


def test_a_case_with_a_size_of_its_own_is_asked_for_no_other(run: Examine):
    results = run(turned, image_size=32)
    assert failed(results) == []
    assert results["odd sizes"] == ("skip", "the case accepts only 32 pixels")


def rows_of(images: np.ndarray) -> Predictions:
    """Another prediction for each image of a whole data set, whatever is in it."""
    prob = np.tile([0.2, 0.3, 0.5], (len(images), 1))
    return Predictions(np.ones(images.shape) * np.arange(len(images))[:, None, None, None] / 100, prob)


def test_saved_predictions_are_asked_by_id(run: Examine, make_dataset: Callable[..., Dataset], tmp_path: Path):
    path = save_predictions(tmp_path / "said.npz", make_dataset(12), Model(rows_of))
    results = run(prepare=lambda work: Prepared(SavedPredictions(path), "given"))
    assert failed(results) == []
    assert results["odd sizes"] == ("skip", "saved predictions have a fixed size")


def test_nothing_else_is_asked_by_id(run: Examine):
    """A predictor that has the methods of saved predictions is given the images alone."""

    class Saved(Model):
        def look_up(self, ids: np.ndarray, images: np.ndarray) -> Predictions:
            raise AssertionError("asked by id")

        def require(self, ids: np.ndarray, kind: str) -> None:
            raise AssertionError("asked by id")

    assert set(run(prepare=lambda work: Prepared(Saved(sound), "given")).values()) == {("pass", "")}


def test_masks_of_one_structure_may_be_without_its_axis(run: Examine):
    def predict(images: np.ndarray) -> Predictions:
        said = sound(images)
        assert said.mask_prob is not None
        return Predictions(said.mask_prob[:, 0], said.class_prob)

    assert set(run(predict).values()) == {("pass", "")}


def test_swapped_axes_of_masks_without_that_of_the_structure(run: Examine):
    assert failed(run(lambda images: Predictions(images[:, 0].transpose(0, 2, 1) / 8, sound(images).class_prob))) == [
        "odd sizes"
    ]


def test_saved_predictions_are_required_of_all_test_samples_not_only_of_those_examined(
    run: Examine, make_dataset: Callable[..., Dataset], tmp_path: Path
):
    flat = CallablePredictor(lambda x: Predictions(x * 0 + 0.5, np.full((len(x), 3), 1 / 3)))
    path = save_predictions(tmp_path / "said.npz", make_dataset(12), flat, np.arange(6))
    results = run(prepare=lambda work: Prepared(SavedPredictions(path), "given"))
    assert failed(results) == ["predict"]
    assert slice_seed42(12).test.tolist() == [5, 9]
    assert "has no prediction for 1 of 2 test samples of the split slice-seed42: 100" in results["predict"][1]


def test_no_images_may_be_refused_in_words(run: Examine):
    def refuses(images: np.ndarray) -> Predictions:
        if len(images) == 0:
            raise ValueError("no images")
        return sound(images)

    assert failed(run(refuses)) == []
