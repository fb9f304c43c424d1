"""Predictions in files, found by slice number whatever the order, and refused where they are not those asked for."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from btlib import evaluate
from btlib.adapters import CallablePredictor, SavedPredictions, save_predictions
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation import Predictor, SlicePredictor, StoredPredictor, best_threshold
from btlib.types import Predictions


@pytest.fixture
def parts() -> dict[str, np.ndarray]:
    """Seven slices whose numbers are not in order."""
    rng = np.random.default_rng(0)
    numbers = np.array([30, 10, 70, 20, 60, 50, 40])
    return {"number": numbers, "mask_prob": rng.random((7, 6, 8)), "class_prob": rng.dirichlet((1, 1, 1), 7)}


@pytest.fixture(params=["npz", "h5"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Writes parts in one of the two formats."""

    def make(parts: dict[str, np.ndarray]) -> Path:
        path = tmp_path / f"said.{request.param}"
        if request.param == "npz":
            np.savez(path, **parts)
        else:
            with h5py.File(path, "w") as file:
                file.update(parts)
        return path

    return make


def test_found_by_number(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    predictor = SavedPredictions(write(parts))
    assert isinstance(predictor, Predictor)
    assert isinstance(predictor, SlicePredictor)
    assert isinstance(predictor, StoredPredictor)
    said = predictor.predict_slices(np.array([50, 30, 40]), np.zeros((3, 6, 8), np.float32))
    assert np.array_equal(said.mask_prob, parts["mask_prob"][[5, 0, 6]])
    assert np.array_equal(said.class_prob, parts["class_prob"][[5, 0, 6]])


def test_the_same_slice_twice_and_none_at_all(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    predictor = SavedPredictions(write(parts))
    twice = predictor.predict_slices(np.array([20, 10, 20]), np.zeros((3, 6, 8), np.float32))
    assert np.array_equal(twice.mask_prob, parts["mask_prob"][[3, 1, 3]])
    none = predictor.predict_slices(np.array([], np.int64), np.zeros((0, 6, 8), np.float32))
    assert (none.mask_prob.shape, none.class_prob.shape) == ((0, 6, 8), (0, 3))


@pytest.mark.parametrize("absent", ["mask_prob", "class_prob"])
def test_one_part_is_enough(write: Callable[..., Path], parts: dict[str, np.ndarray], absent: str):
    del parts[absent]
    said = SavedPredictions(write(parts)).predict_slices(parts["number"][:2], np.zeros((2, 6, 8), np.float32))
    assert getattr(said, absent) is None
    assert said.mask_prob is not None or said.class_prob is not None


def test_missing_slices_are_named(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    asked = np.array([10, 6, 1, 2, 3, 4, 5, 6])
    predictor = SavedPredictions(write(parts))
    with pytest.raises(PredictionError, match=r"no prediction for 6 of 7 slices: 1, 2, 3, 4, 5 …(.|\n)*7\.mat is 7"):
        predictor.predict_slices(asked, np.zeros((8, 6, 8), np.float32))
    with pytest.raises(PredictionError, match=r"no prediction for 1 of 2 odd slices: 11\n"):
        predictor.require_slices(np.array([10, 11]), "odd slices")
    predictor.require_slices(parts["number"])


def test_another_size_says_what_to_declare(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    with pytest.raises(PredictionError, match=r"masks of \(6, 8\), the slices are \(12, 12\)(.|\n)*image_size=6"):
        SavedPredictions(write(parts)).predict_slices(np.array([10]), np.zeros((1, 12, 12), np.float32))


def test_images_alone_tell_nothing(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    with pytest.raises(PredictionError, match="found by slice number, not by image"):
        SavedPredictions(write(parts)).predict(np.zeros((1, 6, 8), np.float32))


def test_files_that_do_not_hold_together(write: Callable[..., Path], parts: dict[str, np.ndarray]):
    for change, message in (
        ({"number": parts["number"][:6]}, "lengths differ"),
        ({"number": np.array([10, 10, 20, 30, 40, 50, 60])}, "has slice 10 twice"),
    ):
        with pytest.raises(PredictionError, match=message):
            SavedPredictions(write(parts | change))
    for names in (("number",), ("mask_prob", "class_prob")):
        with pytest.raises(PredictionError, match=rf"holds {', '.join(names)}\nTo mend it: write number"):
            SavedPredictions(write({name: parts[name] for name in names}))


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
    direct, saved = (evaluate(p, slices, at).slices for p in (bright, SavedPredictions(path)))
    assert saved == direct
    with pytest.raises(PredictionError, match="no prediction for 4 of 7 test slices: 10, 30, 50, 60"):
        evaluate(SavedPredictions(path), slices)


def test_missing_slices_are_counted_over_all_before_any_is_predicted(
    make_dataset: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Those that are missing begin in the second batch of sixteen."""
    slices = make_dataset(60, size=16)
    flat = CallablePredictor(lambda x: Predictions(np.full(x.shape, 0.5), None))
    saved = SavedPredictions(save_predictions(tmp_path / "said.npz", slices, flat, np.arange(20)))
    monkeypatch.setattr(saved, "predict_slices", lambda *_: pytest.fail("it was asked for a batch"))
    message = r"no prediction for 30 of 50 {} slices: 210, 220, 230, 240, 250 …"
    with pytest.raises(PredictionError, match=message.format("test")):
        evaluate(saved, slices, np.arange(50))
    with pytest.raises(PredictionError, match=message.format("validation")):
        best_threshold(saved, slices, np.arange(50))


def test_what_cannot_be_saved(make_dataset: Callable[..., Dataset], tmp_path: Path):
    slices, first = make_dataset(4, size=16), []

    def fickle(x: np.ndarray) -> Predictions:
        first.append(1)
        return Predictions(x * 0, np.full((len(x), 3), 1 / 3) if len(first) == 1 else None)

    with pytest.raises(PredictionError, match="in some batches only"):
        save_predictions(tmp_path / "a.npz", slices, CallablePredictor(fickle), batch_size=2)
    with pytest.raises(PredictionError, match="nothing to save"):
        save_predictions(tmp_path / "a.npz", slices, CallablePredictor(fickle), np.array([], np.int64))
    with pytest.raises(PredictionError, match=r"ending in \.npz, got a\.txt"):
        save_predictions(tmp_path / "a.txt", slices, CallablePredictor(fickle))
    assert list(tmp_path.iterdir()) == []
