"""The picture of the maps: each sample with its own maps, the sum before the mean."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from btlib.adapters.arrays import CallablePredictor
from btlib.data.dataset import Dataset
from btlib.explain import Explainer, Runner
from btlib.explain.place import ExplainPlace
from btlib.explain.study import Study
from btlib.reporting.explanation import draw
from btlib.splits import slice_seed42
from btlib.types import Predictions


def by_brightness(images: np.ndarray) -> Predictions:
    said = images.mean((1, 2, 3), dtype=np.float64) / 4
    return Predictions(None, np.stack([said, said / 2, 1 - 1.5 * said], axis=1))


def test_every_sample_has_its_own_maps(
    make_dataset: Callable[..., Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    samples = make_dataset(12, 16)
    study = Study(
        "A",
        Explainer(Runner(CallablePredictor(by_brightness, layout="nchw")), patch=4, stride=2),
        samples,
        slice_seed42(12),
    )
    at = np.array([7, 2])
    explained, maps = study.run(at, ExplainPlace(tmp_path / "run"))
    drawn: list[Figure] = []
    monkeypatch.setattr("btlib.reporting.figures.save", lambda figure, path: drawn.append(figure))
    draw(explained, maps, samples, tmp_path / "x.svg")
    panels = [axes for axes in drawn[0].axes if axes.images]
    assert len(panels) == 6
    for row, i in enumerate(at.tolist()):
        image, total, average = panels[3 * row : 3 * row + 3]
        names = ("meningioma", "glioma", "pituitary")
        p = explained.samples[row].base
        assert image.get_ylabel() == f"sample {samples.ids[i]}, {names[samples.labels[i]]}\np = {p:.3f}"
        for axes, wanted in ((image, samples.images[i, 0]), (total, maps.total[row]), (average, maps.average[row])):
            assert np.array_equal(np.asarray(axes.images[0].get_array()), wanted, equal_nan=True)
            (contour,) = axes.collections
            inside = contour.get_paths()[0].vertices
            rows, columns = np.nonzero(samples.masks[i, 0])
            assert np.abs(inside[:, 0].min() - columns.min()) <= 0.5
            assert np.abs(inside[:, 1].min() - rows.min()) <= 0.5
        for axes, values in ((total, maps.total[row]), (average, maps.average[row])):
            reach = float(np.abs(values).max())
            assert axes.images[0].get_clim() == pytest.approx((-reach, reach))
            needed = axes.images[0].cmap(1.0)
            assert needed[0] > needed[2], "red is where the model needs what is there"
    assert [axes.get_title() for axes in panels] == [
        *("image, true contour", "sum of drops (thesis)", "mean of drops"),
        *("", "", ""),
    ]
