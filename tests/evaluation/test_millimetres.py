"""Distances in mm: on the grid of the source, with the size of a pixel of each axis, and none where it is unknown."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from btlib import metrics
from btlib.data import load_dataset
from btlib.data.sample import Sample
from btlib.data.source import DatasetSource, SampleInfo
from btlib.data.task import Task
from btlib.errors import StatsError
from btlib.evaluation import evaluate, summarise
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.sample_table import SampleTable
from btlib.types import Predictions

Spacing = tuple[float, float]


def brute(pred: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: Spacing) -> tuple[NDArray, NDArray]:
    """All distances between the two boundaries, from every pair of pixels: forth and back."""
    edges = [np.argwhere(mask & ~binary_erosion(mask, border_value=0)) * spacing for mask in (pred, truth)]
    apart = np.linalg.norm(edges[0][:, None] - edges[1][None], axis=2)
    return apart.min(axis=1), apart.min(axis=0)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 14), st.integers(2, 19), st.integers(0, 10**6), st.sampled_from([(0.3, 2.5), (1.7, 0.4), (1.0, 1.0)])
)
def test_parity_with_all_pairs_of_boundary_pixels(h: int, w: int, seed: int, spacing: Spacing) -> None:
    rng = np.random.default_rng(seed)
    pred, truth = rng.random((2, h, w)) > 0.6
    pred[0, 0] = truth[-1, -1] = True
    forth, back = brute(pred, truth, spacing)
    expected = max(np.percentile(forth, 95), np.percentile(back, 95))
    assert metrics.hd95(pred, truth, spacing) == pytest.approx(expected)
    for tolerance in (1.0, 2.0):
        near = ((forth <= tolerance).sum() + (back <= tolerance).sum()) / (len(forth) + len(back))
        assert metrics.surface_dice(pred, truth, tolerance, spacing) == pytest.approx(near)
    assert metrics.hd95(pred, truth, (1.0, 1.0)) == metrics.hd95(pred, truth)


def test_a_miss_costs_the_diagonal_in_mm() -> None:
    empty, full = np.zeros((30, 4), bool), np.ones((30, 4), bool)
    assert metrics.hd95(empty, full, (0.1, 1.0)) == 5.0
    assert np.isnan(metrics.hd95(empty, empty, (0.1, 1.0)))
    with pytest.raises(StatsError, match=r"spacing: expected lengths above 0 in mm, got \(0, 1\)"):
        metrics.hd95(full, full, (0, 1))


SIZES = [(20, 60), (60, 20), (40, 40), (24, 36), (24, 36)]
SPACINGS: list[Spacing | None] = [(0.5, 2.0), (2.0, 0.5), None, (1.5, 1.0), (1.5, 1.0)]


def truth_of(i: int) -> NDArray[np.bool_]:
    mask = np.zeros(SIZES[i], bool)
    if i != 4:
        mask[6:14, 5:15] = True
    return mask


class Scans(DatasetSource):
    """Rectangles in images that are no squares; the image is the mask, so that a model can find it."""

    folder = None

    def __init__(self, task: Task, *, own: bool = True) -> None:
        self._task, self.own = task, own

    @property
    def task(self) -> Task:
        return self._task

    def samples(self) -> list[SampleInfo]:
        return [SampleInfo(f"s{i}", str(i)) for i in range(len(SIZES))]

    def signature(self) -> str:
        return f"{self._task} {self.own}"

    def read(self, info: SampleInfo) -> Sample:
        i = int(info.key)
        mask = truth_of(i)
        spacing = SPACINGS[i] if self.own else None
        return Sample(info.id, (255 * mask).astype(np.uint8)[None], mask[None], None, f"P{i}", spacing=spacing)


class Shifted:
    """Returns the image, moved to the right by an eighth of its width."""

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        return Predictions(np.roll(images, images.shape[3] // 8, axis=3), None)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))


def table_of(task: Task, *, own: bool = True) -> SampleTable:
    given, truth = (load_dataset(Scans(task, own=own), size) for size in (24, 32))
    return evaluate(Shifted(), given, threshold=0.5, batch_size=2, truth=truth).samples


def test_the_prediction_is_compared_on_the_grid_of_the_source() -> None:
    """Probabilities of 24 × 24 are interpolated to h × w, and then compared with the threshold."""
    table = table_of(Task(name="mine", structures=("lesion",)))
    dataset = load_dataset(Scans(Task(name="mine", structures=("lesion",))), 24)
    found = per_sample(table, "hd95_mm")
    for i, spacing in enumerate(SPACINGS[:4]):
        if spacing is None:
            assert np.isnan(found[i])
            continue
        prob = Shifted().predict(dataset.images[[i]]).mask_prob[0, 0]
        h, w = SIZES[i]
        forth, back = brute(cv2.resize(prob, (w, h)) > 0.5, truth_of(i), spacing)
        assert found[i] == pytest.approx(max(np.percentile(forth, 95), np.percentile(back, 95)), abs=1e-4)
        near = ((forth <= 2).sum() + (back <= 2).sum()) / (len(forth) + len(back))
        assert table.columns["lesion/surface_dice_2mm"][i] == pytest.approx(near, abs=1e-4)
    # an eighth of the width, 60 px of 2 mm and 20 px of 0.5 mm: the same shift in the square is another one in mm
    assert found[0] == pytest.approx(15, abs=2.1)
    assert 1 < found[1] < 2.5  # or a row of 2 mm, at the corners


def test_without_a_spacing_there_is_no_value() -> None:
    """A sample without spacing has none, an empty one neither; a task without spacings lacks the metric."""
    table = table_of(Task(name="mine", structures=("lesion",)))
    assert [np.isnan(v) for v in per_sample(table, "hd95_mm")] == [False, False, True, False, True]
    assert summarise(table)["hd95_mm"]["undefined"] == 2
    bare = table_of(Task(name="mine", structures=("lesion",)), own=False)
    assert not METRICS["hd95_mm"].available(bare)
    assert "hd95_mm" not in summarise(bare)
    with pytest.raises(StatsError, match="distances in mm, because the size of a pixel is unknown"):
        per_sample(bare, "hd95_mm")
    dropped = {name: v for name, v in table.columns.items() if not name.endswith("mm")}
    assert bare.columns == dropped  # no other number changes


def test_the_spacing_of_the_task_is_for_samples_without_their_own() -> None:
    whole, bare = (
        Task(name="mine", structures=("lesion",), spacing=(1.0, 3.0)),
        Task(name="mine", structures=("lesion",)),
    )
    ours, theirs = (per_sample(table_of(task), "hd95_mm") for task in (whole, bare))
    assert not np.isnan(ours[2])
    assert np.array_equal(ours[[0, 1, 3]], theirs[[0, 1, 3]])


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        ("hd95_mm", [1.0, None, None, 2.0, None], "expected values of the same samples"),
        ("hd95_mm", [-1.0, 1.0, None, 2.0, None], "out of its range"),
        ("surface_dice_2mm", [1.1, 1.0, None, 1.0, None], "out of its range"),
        ("surface_dice_2mm", None, "lesion/surface_dice_2mm is missing"),
    ],
)
def test_values_that_contradict_each_other_are_refused(column: str, values: list | None, problem: str) -> None:
    table = table_of(Task(name="mine", structures=("lesion",)))
    columns = {**table.columns, f"lesion/{column}": values}
    stored = table.model_dump() | {"columns": {name: v for name, v in columns.items() if v is not None}}
    with pytest.raises(ValueError, match=problem):
        SampleTable.model_validate(stored)


def test_an_older_table_without_millimetres_is_still_read() -> None:
    table = table_of(Task(name="mine", structures=("lesion",)))
    stored = table.model_dump() | {"columns": {n: v for n, v in table.columns.items() if not n.endswith("mm")}}
    assert not SampleTable.model_validate(stored).has_millimetres
