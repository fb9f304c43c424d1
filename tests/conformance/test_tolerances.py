"""The checks at their tolerances, in either part of the predictions, and what a case is given to be examined."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.conformance import CHECKS, Subject, check_case, examine, make_subject, run, subject
from btlib.data.dataset import Dataset
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42
from btlib.thesis.recipe import thesis_recipe
from btlib.types import Predictions, Scaling

Examine = Callable[..., dict[str, tuple[str, str]]]
Predict = Callable[[np.ndarray], Predictions]


class Model:
    def __init__(self, predict: Predict) -> None:
        self.predict = predict


@pytest.fixture
def examined(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Examine:
    """Outcome and message of each check of a case that is prepared so."""

    def go(prepare: Callable[[Work], Prepared], **case: Any) -> dict[str, tuple[str, str]]:
        mine = Case("mine", "", prepare=prepare, **{"has_mask": True, "has_classes": True} | case)
        data = make_dataset(12, 16)
        split = slice_seed42(12)
        work = Work.on(data, split, Protocol(image_size=16), Recipe(), 0, tmp_path)
        found = examine(Subject(mine, work, data.part(np.arange(6)), data.images[:6], data.ids[split.test]))
        return {result.check: (result.outcome, result.message) for result in found}

    return go


def failed(results: dict[str, tuple[str, str]]) -> list[str]:
    return [name for name, (outcome, _) in results.items() if outcome == "fail"]


def shifted(part: str, by: np.ndarray | float, images: np.ndarray) -> Predictions:
    """Half of everything, but for one part that is shifted, by the same for all images or by image."""
    shift = np.broadcast_to(np.asarray(by, np.float64), (len(images),))
    masks, prob = np.full(images.shape, 0.5), np.tile([0.25, 0.25, 0.5], (len(images), 1))
    if part == "mask":
        masks += shift[:, None, None, None]
    else:
        prob += shift[:, None] * [1, -1, 0]
    return Predictions(masks, prob)


def prepare_with(check: str, part: str, gap: float) -> Callable[[Work], Prepared]:
    """A case that breaks one promise by a gap."""
    times = {"calls": 0, "prepared": 0}

    def predict(images: np.ndarray) -> Predictions:
        times["calls"] += 1
        n = len(images)
        shifts: dict[str, Any] = {
            "determinism": gap * (times["calls"] % 2),
            "order": np.linspace(0, gap, n) if n > 1 else 0.0,
            "batch size": gap * (n > 1),
            "save and load": gap * (times["prepared"] > 1),
        }
        return shifted(part, shifts[check], images)

    def prepare(work: Work) -> Prepared:
        times["prepared"] += 1
        return Prepared(Model(predict), "given")

    return prepare


@pytest.mark.parametrize("part", ["mask", "class"])
@pytest.mark.parametrize(
    ("check", "tolerance"), [("determinism", 1e-5), ("order", 1e-3), ("batch size", 1e-3), ("save and load", 1e-5)]
)
def test_the_tolerance_of_each_comparison(check: str, tolerance: float, part: str, examined: Examine) -> None:
    assert failed(examined(prepare_with(check, part, 0.9 * tolerance))) == []
    results = examined(prepare_with(check, part, 1.1 * tolerance))
    assert failed(results) == [check]
    assert f"{part}_prob differs by up to {1.1 * tolerance:.2g}" in results[check][1]


def test_the_checks_and_what_each_needs() -> None:
    assert {name: CHECKS[name].needs for name in CHECKS} == {
        "prepare": (),
        "fields": ("prepare",),
        "predict": ("prepare",),
        "declared parts": ("predict",),
        "shapes": ("predict",),
        "ranges": ("shapes",),
        "double activation": ("ranges",),
        "determinism": ("ranges",),
        "own arrays": ("determinism",),
        "own input": ("predict",),
        "order": ("determinism",),
        "batch size": ("order",),
        "odd sizes": ("shapes",),
        "empty input": ("predict",),
        "save and load": ("determinism",),
    }
    assert [CHECKS[name].name for name in CHECKS] == list(CHECKS)


@pytest.mark.parametrize("declared", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("given", [(True, False), (False, True), (True, True)])
def test_parts_that_are_declared_and_given(
    declared: tuple[bool, bool], given: tuple[bool, bool], examined: Examine
) -> None:
    def predict(images: np.ndarray) -> Predictions:
        whole = shifted("mask", 0.0, images)
        return Predictions(whole.mask_prob if given[0] else None, whole.class_prob if given[1] else None)

    results = examined(lambda work: Prepared(Model(predict), "given"), has_mask=declared[0], has_classes=declared[1])
    assert failed(results) == ([] if declared == given else ["declared parts"])
    for part, stated, came in zip(("mask", "classes"), declared, given, strict=True):
        if stated != came:
            said = f"has_{part} is {stated}, but the predictor returns {'some' if came else 'none'}"
            assert said in results["declared parts"][1]
            assert f"declare has_{part}={came} in @case" in results["declared parts"][1]
            break


def test_a_part_that_is_there_only_once(examined: Examine) -> None:
    """As long as the batch is whole, and not of a single image."""

    def predict(images: np.ndarray) -> Predictions:
        whole = shifted("mask", 0.0, images)
        return whole if len(images) != 1 else Predictions(whole.mask_prob, None)

    results = examined(lambda work: Prepared(Model(predict), "given"))
    assert failed(results) == ["batch size"]
    assert "class_prob has another shape, or is present only once" in results["batch size"][1]


def test_a_predictor_may_write_into_its_images(examined: Examine) -> None:
    """They are given in fresh arrays each time."""

    def predict(images: np.ndarray) -> Predictions:
        mean = images.mean(axis=(1, 2, 3), keepdims=True) / 10
        images[:] = 0
        return Predictions(np.broadcast_to(mean, images.shape), None)

    assert failed(examined(lambda work: Prepared(Model(predict), "given"), has_classes=False)) == []


def test_no_images_must_give_no_predictions(examined: Examine) -> None:
    for wrong in (lambda images: shifted("mask", 0.0, images[:1]), lambda images: None):

        def predict(images: np.ndarray, wrong: Any = wrong) -> Any:
            return shifted("mask", 0.0, images) if len(images) else wrong(np.zeros((1, 1, 16, 16)))

        results = examined(lambda work, predict=predict: Prepared(Model(predict), "given"))
        assert failed(results) == ["empty input"]


def test_a_classifier_has_no_axes_to_swap(examined: Examine) -> None:
    def predict(images: np.ndarray) -> Predictions:
        return Predictions(None, shifted("class", 0.0, images).class_prob)

    assert set(examined(lambda work: Prepared(Model(predict), "given"), has_mask=False).values()) == {("pass", "")}


def test_it_is_prepared_twice_and_no_more(examined: Examine) -> None:
    times: list[Work] = []

    def prepare(work: Work) -> Prepared:
        times.append(work)
        return Prepared(Model(lambda images: shifted("mask", 0.0, images)), "given")

    assert failed(examined(prepare)) == []
    assert len(times) == 2


@pytest.mark.parametrize(
    ("fields", "size", "scaling"),
    [({}, 64, "thesis"), ({"image_size": 40}, 40, "thesis"), ({"scaling": "percentile"}, 64, "percentile")],
)
def test_what_a_case_is_given(
    fields: dict[str, Any],
    size: int,
    scaling: str,
    make_dataset: Callable[..., Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six test samples of phantoms, at its own size and scaling; to learn from, those of training and validation."""
    loaded: list[tuple[Any, ...]] = []
    data = make_dataset(50, 16)

    def load_dataset(folder: Path, image_size: int, scaling: Scaling) -> Dataset:
        loaded.append((folder, image_size, scaling))
        return replace(data, scaling=scaling)

    made: list[tuple[Any, ...]] = []
    monkeypatch.setattr(subject, "load_dataset", load_dataset)

    def phantom_folder(*args: Any) -> Path:
        made.append(args)
        return tmp_path / "phantoms"

    monkeypatch.setattr(subject, "phantom_folder", phantom_folder)
    case = Case("mine", "", True, True, lambda work: Prepared(None, "given"), **fields)  # type: ignore[arg-type]
    found = make_subject(case, tmp_path / "checkpoints", device="cuda")
    assert loaded == [(tmp_path / "phantoms", size, scaling)]
    assert [n for _, n in made] == [40]
    work = found.work
    assert (work.protocol.image_size, work.protocol.scaling) == (size, scaling)
    assert (work.seed, work.precision, work.device, work.case) == (42, "fp32", "cuda", "mine")
    assert (work.checkpoints, work.engine, work.retrain) == (tmp_path / "checkpoints", "eager", False)
    assert (work.recipe.quick, work.recipe.epochs) == (True, 1)
    assert (thesis_recipe(work.recipe).backbone, thesis_recipe(work.recipe).weights) == ("tiny", "none")
    split = slice_seed42(50)
    at = split.test[:6]
    assert found.samples.ids.tolist() == data.ids[at].tolist()
    assert np.array_equal(found.images, data.images[at])
    assert found.tested.tolist() == data.ids[split.test].tolist()
    assert work.train.ids.tolist() == data.ids[split.train].tolist()
    assert work.val.ids.tolist() == data.ids[split.val].tolist()
    assert found.images.flags.c_contiguous


def test_checkpoints_of_an_examination_are_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Any, ...]] = []

    def spy(case: Case, checkpoints: Path, data: Path | None, device: str, **more: object) -> str:
        assert checkpoints.is_dir()
        (checkpoints / "model").write_text("")
        given.append((case, checkpoints, data, device, more))
        return "subject"

    monkeypatch.setattr(run, "make_subject", spy)
    monkeypatch.setattr(run, "examine", lambda subject: [subject])
    case = Case("mine", "", True, True, lambda work: Prepared(None, "given"))  # type: ignore[arg-type]
    found: list[Any] = list(check_case(case, tmp_path, "mps", image_size=48, scaling="zscore", split="official"))
    assert found == ["subject"]
    more = {"image_size": 48, "scaling": "zscore", "split": "official"}
    assert [(one[0], *one[2:]) for one in given] == [(case, tmp_path, "mps", more)]
    assert not given[0][1].exists()
