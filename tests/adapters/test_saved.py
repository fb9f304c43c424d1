"""Predictions in files, found by the ids of samples whatever the order; refused where they are not those asked for."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from btlib import evaluate
from btlib.adapters import CallablePredictor, SavedPredictions, save_predictions
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation import Predictor, best_threshold
from btlib.types import Predictions


@pytest.fixture
def parts() -> dict[str, np.ndarray]:
    """Seven samples whose ids are not in order."""
    rng = np.random.default_rng(0)
    ids = np.array(["c", "a", "g 7", "b", "ﬁ/é", "e", "d"])
    return {"id": ids, "mask_prob": rng.random((7, 6, 8)), "class_prob": rng.dirichlet((1, 1, 1), 7)}


@pytest.fixture
def numbered(parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with numbers in place of ids, as files of before have them."""
    return {"number": np.array([30, 10, 70, 20, 60, 50, 40])} | {k: v for k, v in parts.items() if k != "id"}


@pytest.fixture(params=["npz", "h5"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Writes parts in one of the two formats."""

    def make(parts: dict[str, np.ndarray]) -> Path:
        path = tmp_path / f"said.{request.param}"
        if request.param == "npz":
            np.savez(path, **parts)
        else:
            with h5py.File(path, "w") as file:
                for name, part in parts.items():
                    text = part.dtype.kind == "U"
                    file.create_dataset(
                        name, data=part.tolist() if text else part, dtype=h5py.string_dtype() if text else None
                    )
        return path

    return make


def images(n: int, height: int = 6, width: int = 8) -> np.ndarray:
    """Of which only the size counts."""
    return np.zeros((n, 1, height, width), np.float32)


def test_found_by_id(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    predictor = SavedPredictions(write(parts))
    assert isinstance(predictor, Predictor)
    said = predictor.look_up(parts["id"][[4, 0, 2]], images(3))
    assert np.array_equal(said.mask_prob, parts["mask_prob"][[4, 0, 2]])
    assert np.array_equal(said.class_prob, parts["class_prob"][[4, 0, 2]])


def test_found_by_number(write: Callable[..., Path], numbered: dict[str, np.ndarray]):
    said = SavedPredictions(write(numbered)).look_up(np.array(["50", "30", "40"]), images(3))
    assert np.array_equal(said.mask_prob, numbered["mask_prob"][[5, 0, 6]])
    assert np.array_equal(said.class_prob, numbered["class_prob"][[5, 0, 6]])


def test_the_same_sample_twice_and_none_at_all(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    predictor = SavedPredictions(write(parts))
    twice = predictor.look_up(np.array(["b", "a", "b"]), images(3))
    assert np.array_equal(twice.mask_prob, parts["mask_prob"][[3, 1, 3]])
    none = predictor.look_up(np.array([], str), images(0))
    assert (none.mask_prob.shape, none.class_prob.shape) == ((0, 6, 8), (0, 3))


@pytest.mark.parametrize("structures", [1, 2])
def test_masks_of_several_structures(write: Callable[..., Path], parts: dict[str, np.ndarray], structures: int):
    masks = np.random.default_rng(1).random((7, structures, 6, 8))
    said = SavedPredictions(write(parts | {"mask_prob": masks})).look_up(np.array(["g 7", "a"]), images(2))
    assert np.array_equal(said.mask_prob, masks[[2, 1]])


@pytest.mark.parametrize("absent", ["mask_prob", "class_prob"])
def test_one_part_is_enough(write: Callable[..., Path], parts: dict[str, np.ndarray], absent: str):
    del parts[absent]
    said = SavedPredictions(write(parts)).look_up(parts["id"][:2], images(2))
    assert getattr(said, absent) is None
    assert said.mask_prob is not None or said.class_prob is not None


def test_missing_samples_are_named(write: Callable[..., Path], numbered: dict[str, np.ndarray]):
    asked = np.array([10, 1, 2, 3, 4, 5, 6, 6]).astype(str)
    predictor = SavedPredictions(write(numbered))
    with pytest.raises(
        PredictionError, match=r"no prediction for 6 of 7 samples: 1, 2, 3, 4, 5 …(.|\n)*7\.mat has the id 7"
    ):
        predictor.look_up(asked, images(8))
    with pytest.raises(PredictionError, match=r"no prediction for 1 of 2 odd samples: 11\n"):
        predictor.require(np.array(["10", "11"]), "odd samples")
    predictor.require(numbered["number"].astype(str))


def test_another_size_says_what_to_declare(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    with pytest.raises(
        PredictionError, match=r"masks of \(6, 8\), expected the size of the samples, \(12, 12\)(.|\n)*image_size=8"
    ):
        SavedPredictions(write(parts)).look_up(np.array(["a"]), images(1, 12, 12))


def test_images_alone_tell_nothing(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    with pytest.raises(PredictionError, match="found by the ids of samples, not by images"):
        SavedPredictions(write(parts)).predict(images(1))


def test_files_that_do_not_hold_together(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    for change, message in (
        ({"id": parts["id"][:6]}, "lengths differ"),
        ({"id": np.array(["a", "b", "c", "b", "a", "e", "f"])}, "has sample b twice"),
    ):
        with pytest.raises(PredictionError, match=message):
            SavedPredictions(write(parts | change))
    both = parts | {"number": np.arange(1, 8)}
    for names in (("id",), ("mask_prob", "class_prob"), ("id", "number", "mask_prob", "class_prob")):
        with pytest.raises(PredictionError, match=rf"contains {', '.join(names)}\nHint: write id"):
            SavedPredictions(write({name: both[name] for name in names}))


def test_files_that_cannot_be_read(tmp_path: Path):
    (tmp_path / "text.npz").write_text("lost")
    with pytest.raises(PredictionError, match=r"text\.npz: cannot be read"):
        SavedPredictions(tmp_path / "text.npz")
    with pytest.raises(PredictionError, match=r"nix\.h5: there is no such file"):
        SavedPredictions(tmp_path / "nix.h5")
    with pytest.raises(PredictionError, match=r"cannot be read|there is no such file"):
        SavedPredictions(tmp_path / f"{'long' * 100}.npz")


def test_what_is_saved_scores_as_what_was_said(make_dataset: Callable[..., Dataset], tmp_path: Path):
    slices = make_dataset(7, size=16)
    bright = CallablePredictor(lambda x: Predictions(x / x.max(axis=(1, 2), keepdims=True), None))
    at = np.array([6, 1, 3])
    path = save_predictions(tmp_path / "deep" / "said.npz", slices, bright, at, batch_size=2)
    direct, saved = (evaluate(p, slices.part(at)).samples for p in (bright, SavedPredictions(path)))
    assert saved == direct
    with pytest.raises(PredictionError, match="no prediction for 4 of 7 test samples: 10, 30, 50, 60"):
        evaluate(SavedPredictions(path), slices)


def test_missing_samples_are_counted_over_all_before_any_is_predicted(
    make_dataset: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Those that are missing begin in the second batch of sixteen."""
    slices = make_dataset(60, size=16)
    flat = CallablePredictor(lambda x: Predictions(np.full(x.shape, 0.5), None))
    saved = SavedPredictions(save_predictions(tmp_path / "said.npz", slices, flat, np.arange(20)))
    monkeypatch.setattr(saved, "look_up", lambda *_: pytest.fail("it was asked for a batch"))
    message = r"no prediction for 30 of 50 {} samples: 210, 220, 230, 240, 250 …"
    with pytest.raises(PredictionError, match=message.format("test")):
        evaluate(saved, slices.part(np.arange(50)))
    with pytest.raises(PredictionError, match=message.format("validation")):
        best_threshold(saved, slices.part(np.arange(50)))


def test_what_cannot_be_saved(make_dataset: Callable[..., Dataset], tmp_path: Path):
    slices, first = make_dataset(4, size=16), []

    def fickle(x: np.ndarray) -> Predictions:
        first.append(1)
        return Predictions(x * 0, np.full((len(x), 3), 1 / 3) if len(first) == 1 else None)

    with pytest.raises(PredictionError, match="only some batches have"):
        save_predictions(tmp_path / "a.npz", slices, CallablePredictor(fickle), batch_size=2)
    with pytest.raises(PredictionError, match="there are no samples"):
        save_predictions(tmp_path / "a.npz", slices, CallablePredictor(fickle), np.array([], np.int64))
    with pytest.raises(PredictionError, match=r"ending in \.npz, got a\.txt"):
        save_predictions(tmp_path / "a.txt", slices, CallablePredictor(fickle))
    assert list(tmp_path.iterdir()) == []
