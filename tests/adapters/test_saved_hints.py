"""Files of saved predictions as users write them by mistake: each is refused with the way out."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from btlib import evaluate
from btlib.adapters import SavedPredictions
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.errors import PredictionError

TASK = Task(name="two", classes=("a", "b", "c"), structures=("core", "rim"), channels=("x",))
N, SIDE = 40, 8


def samples(ids: list[str]) -> Dataset:
    rng = np.random.default_rng(0)
    n = len(ids)
    masks = rng.random((n, 2, SIDE, SIDE)) > 0.6
    images = rng.random((n, 1, SIDE, SIDE), dtype=np.float32)
    return Dataset(TASK, images, masks, np.arange(n) % 3, np.array(ids), (None,) * n, "thesis", SIDE)


NUMBERED = [str(i + 1) for i in range(N)]
NAMED = [f"images/{i + 1:03d}.png" for i in range(N)]


@pytest.fixture(params=["npz", "h5"])
def suffix(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def write(tmp_path: Path, suffix: str, **changes: Any) -> Path:
    """All samples, right but for the changes; a part that is None is left out."""
    rng = np.random.default_rng(1)
    parts = {"id": np.array(NUMBERED), "mask_prob": rng.random((N, 2, SIDE, SIDE)).astype(np.float32)}
    parts |= {"class_prob": rng.dirichlet((1, 1, 1), N)}
    parts = {name: np.asarray(part) for name, part in (parts | changes).items() if part is not None}
    path = tmp_path / f"said.{suffix}"
    if suffix == "npz":
        np.savez(path, **parts)
    else:
        with h5py.File(path, "w") as file:
            for name, part in parts.items():
                text = part.dtype.kind == "U"
                kind = h5py.string_dtype() if text else None
                file.create_dataset(name, data=part.tolist() if text else part, dtype=kind)
    return path


def refused(path: Path, ids: list[str] = NUMBERED) -> str:
    with pytest.raises(PredictionError) as caught:
        evaluate(SavedPredictions(path), samples(ids), np.arange(5, N), threshold=0.5)
    assert caught.value.hint
    return str(caught.value)


def test_a_right_file_is_scored(tmp_path: Path, suffix: str) -> None:
    found = evaluate(SavedPredictions(write(tmp_path, suffix)), samples(NUMBERED), np.arange(5, N), threshold=0.5)
    assert found.samples.n == N - 5
    classes = evaluate(SavedPredictions(write(tmp_path, suffix, mask_prob=None)), samples(NUMBERED))
    assert not classes.samples.has_mask


IDS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "from 0": ({"id": np.arange(N).astype(str)}, ("1 samples that are not among the 40", "the first id is 1: posit")),
    "negative": (
        {"id": np.array(["-1", *NUMBERED[1:]])},
        ("not among the 40 of the data set: -1", "the first id is 1"),
    ),
    "beyond": ({"id": np.array([*NUMBERED[:-1], "41"])}, ("not among the 40 of the data set: 41", "remove these rows")),
    "fractions as text": (
        {"id": np.array([f"{i}.0" for i in NUMBERED])},
        ("40 samples that are not among the 40", "the file has '1.0' in place of '1'"),
    ),
    "zeros in front": ({"id": np.array([f"{i:>03}" for i in NUMBERED])}, ("the file has '001' in place of '1'",)),
    "files": ({"id": np.array([f"data/{i}.mat" for i in NUMBERED])}, ("the file has 'data/1.mat' in place of '1'",)),
    "spaces": ({"id": np.array([f" {i}" for i in NUMBERED])}, ("the file has ' 1' in place of '1'",)),
    "blank": ({"id": np.array(["", *NUMBERED[1:]])}, ("id: a text is blank",)),
    "twice": ({"id": np.array(["2", *NUMBERED[1:]])}, ("has sample 2 twice", "write each sample once")),
    "numbers from 0": (
        {"id": None, "number": np.arange(N)},
        ("expected whole numbers from 1, got 0", "positions that count from 0"),
    ),
    "number negative": ({"id": None, "number": np.arange(N) - 1}, ("got -1", "positions that count from 0")),
    "number fraction": ({"id": None, "number": np.arange(N) + 1.5}, ("got 1.5", "such as 7 for 7.mat")),
    "number NaN": ({"id": None, "number": np.full(N, np.nan)}, ("got nan", "the number of a sample in every row")),
    "number as text": ({"id": None, "number": np.array(NUMBERED)}, ("number: ", "as `id` in place of number")),
    "whole numbers as id": ({"id": np.arange(N) + 1}, ("id: expected text [n], got int64 (40,)", "`number`")),
    "fractions as id": ({"id": np.arange(N) + 1.0}, ("id: expected text [n], got float64 (40,)", "text")),
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_of_another_form(kind: str, tmp_path: Path, suffix: str) -> None:
    changes, expected = IDS[kind]
    message = refused(write(tmp_path, suffix, **changes))
    for text in expected:
        assert text in message


def test_names_without_folder_or_suffix(tmp_path: Path, suffix: str) -> None:
    message = refused(write(tmp_path, suffix), NAMED)
    assert "the file has '1' in place of 'images/001.png'" in message
    stems = write(tmp_path, suffix, id=np.array([f"{i + 1:03d}" for i in range(N)]))
    assert "the file has '001' in place of 'images/001.png'" in refused(stems, NAMED)


def test_too_few_rows_are_counted_over_all_samples(tmp_path: Path, suffix: str) -> None:
    rows = slice(0, 25)
    parts = {"id": np.array(NUMBERED)[rows], "mask_prob": np.zeros((25, 2, SIDE, SIDE)), "class_prob": None}
    message = refused(write(tmp_path, suffix, **parts))
    assert (
        "has no prediction for 15 of 35 test samples: 26, 27, 28, 29, 30 …\nHint: predict all test samples" in message
    )


def test_samples_of_a_part_may_be_more_in_the_file(tmp_path: Path, suffix: str) -> None:
    """A file of the whole data set suits a part of it."""
    part = samples(NUMBERED).subset(np.arange(10))
    assert evaluate(SavedPredictions(write(tmp_path, suffix)), part).samples.n == 10


rng = np.random.default_rng(2)
VALUES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "255": (
        {"mask_prob": 255 * (rng.random((N, 2, SIDE, SIDE)) > 0.5).astype(np.uint8)},
        (
            "mask_prob: expected probabilities in 0…1, got the values 0 and 255",
            "divide by 255: they are masks of 8 bits",
        ),
    ),
    "logits": ({"mask_prob": rng.normal(0, 3, (N, 2, SIDE, SIDE))}, ("look like logits", "apply a sigmoid")),
    "class logits": ({"class_prob": rng.normal(0, 3, (N, 3))}, ("class_prob", "apply a softmax")),
    "one structure": ({"mask_prob": rng.random((N, SIDE, SIDE))}, ("one mask for each of core, rim",)),
    "three structures": ({"mask_prob": rng.random((N, 3, SIDE, SIDE))}, ("leave out the background",)),
    "channels last": (
        {"mask_prob": rng.random((N, SIDE, SIDE, 2))},
        ("on the last axis: np.moveaxis(mask_prob, 3, 1)",),
    ),
    "larger": ({"mask_prob": rng.random((N, 2, 16, 16))}, ("masks of (16, 16)", "declare image_size=16 in @case")),
    "not square": ({"mask_prob": rng.random((N, 2, 8, 16))}, ("masks of (8, 16)", "resize the masks to squares")),
    "flat": (
        {"mask_prob": rng.random((N, 2 * SIDE * SIDE))},
        ("mask_prob: expected [n, structures, h, w], got shape",),
    ),
    "four classes": (
        {"class_prob": rng.dirichlet((1,) * 4, N)},
        ("the classes of the task are a, b, c, in this order",),
    ),
    "labels": ({"class_prob": np.arange(N) % 3}, ("np.eye(3)[label]",)),
    "NaN": ({"mask_prob": np.full((N, 2, SIDE, SIDE), np.nan)}, ("values are not finite",)),
    "texts": ({"class_prob": np.array([["a", "b", "c"]] * N)}, ("class_prob: expected",)),
    "lengths": ({"class_prob": rng.dirichlet((1, 1, 1), N - 1)}, ("lengths differ",)),
    "other names": (
        {"id": None, "mask_prob": None, "class_prob": None, "ids": np.arange(N), "probs": np.zeros(N)},
        ("contains ids, probs", "write id [n], and mask_prob"),
    ),
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_of_another_form(kind: str, tmp_path: Path, suffix: str) -> None:
    changes, expected = VALUES[kind]
    message = refused(write(tmp_path, suffix, **changes))
    for text in expected:
        assert text in message
