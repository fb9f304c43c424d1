"""Dice per volume: pixels are pooled over the samples of a volume, and volumes of patients are drawn together."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.data.task import Task
from btlib.errors import StatsError
from btlib.evaluation.aggregate import per_sample, summarise
from btlib.evaluation.catalogue import METRICS
from btlib.evaluation.draws import set_values
from btlib.results import CaseResult, Conditions, SeedRun, set_draws
from btlib.sample_table import SampleTable, sample_table

TASK = Task(name="mine", structures=("core", "rim"))
Rows = Sequence[tuple[str | None, str, int, int, int]]


def table_of(rows: Rows, volumes: bool = True) -> SampleTable:
    """A table of patient, volume, intersection, predicted and true pixels of the core; the rim is found exactly."""
    counts = np.array([row[2:] for row in rows])
    both = [np.stack([counts[:, k], np.full(len(rows), 9)], axis=1) for k in range(3)]
    return sample_table(
        TASK,
        [f"s{i}" for i in range(len(rows))],
        [row[0] for row in rows],
        volumes=[row[1] for row in rows] if volumes else None,
        measures=dict(zip(("intersection", "pred_area", "truth_area"), both, strict=True)),
    )


ROWS: Rows = [
    ("A", "V2", 5, 5, 5),
    ("B", "V1", 0, 4, 6),
    ("A", "V2", 1, 3, 10),
    ("A", "V3", 0, 0, 0),
    ("B", "V1", 9, 9, 9),
]


def test_pixels_are_pooled_and_volumes_weigh_the_same() -> None:
    table = table_of(ROWS)
    core = [2 * 6 / (8 + 15), 2 * 9 / (13 + 15), 1]
    assert METRICS["dice_volume/core"].of(table) == pytest.approx(np.mean(core), abs=1e-6)
    assert METRICS["dice_volume/rim"].of(table) == pytest.approx(1)
    assert METRICS["dice_volume"].of(table) == pytest.approx(np.mean([(one + 1) / 2 for one in core]), abs=1e-6)
    summary = summarise(table)
    assert summary["dice_volume"] == summary["dice"]["volume_mean"]
    assert summary["dice_volume"] != pytest.approx(summary["dice"]["slice_mean"], abs=0.01)


def test_samples_of_no_volume_have_none() -> None:
    bare = table_of(ROWS, volumes=False)
    assert not METRICS["dice_volume"].available(bare)
    assert "dice_volume" not in summarise(bare)
    with pytest.raises(StatsError, match="dice_volume: is defined for all samples together"):
        per_sample(table_of(ROWS), "dice_volume")


counts_of = st.integers(0, 40).flatmap(lambda a: st.tuples(st.just(a), st.integers(a, 50), st.integers(a, 50)))


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz"), counts_of), min_size=1, max_size=12), st.data()
)
def test_weights_of_patients_are_those_of_their_volumes(
    drawn: list[tuple[str, str, tuple[int, int, int]]], data: st.DataObject
) -> None:
    """An independent formula: the mean of Dice of each volume, as often as its patient is drawn."""
    rows: Rows = [(patient, f"{patient}{volume}", *counts) for patient, volume, counts in drawn]
    table = table_of(rows)
    times = {patient: data.draw(st.integers(0, 3)) for patient in "ABC"}
    if not any(times[row[0] or ""] for row in rows):
        return
    total = {
        volume: np.sum([row[2:] for row in rows if row[1] == volume], axis=0) for volume in {row[1] for row in rows}
    }
    values = [(volume[0], (2 * i + 1e-6) / (p + t + 1e-6)) for volume, (i, p, t) in total.items()]
    expected = np.average([(v + 1) / 2 for _, v in values], weights=[times[patient] for patient, _ in values])
    weights = np.array([[times[row[0] or ""] for row in rows]], dtype=float)
    assert set_values(table, "dice_volume", weights) == pytest.approx(np.array([expected]), abs=1e-6)


def result_of(rows: Rows) -> CaseResult:
    conditions = Conditions(
        task=TASK,
        truth_fingerprint="t",
        input_fingerprint="i",
        split_name="official",
        split_fingerprint="s",
        n_test=len(rows),
        test_class_counts=[],
        image_size=8,
        scaling="zscore",
        threshold=0.5,
        epsilon=1e-6,
    )
    return CaseResult("x", "x", conditions, {"dice": 1}, (SeedRun(seed=1, fingerprint="m", samples=table_of(rows)),))


def test_unknown_patients_are_drawn_as_whole_volumes() -> None:
    """Each draw is a mean over whole volumes; slices drawn alone would make others."""
    rows: Rows = [(None, volume, *counts) for _, volume, *counts in ROWS]
    result = result_of(rows)
    assert result.unit == "volume"
    assert result.groups.tolist() == [0, 1, 0, 2, 1]
    drawn = set_draws(result.runs, result.samples, "dice_volume", n_resamples=200)
    assert drawn.n_groups == 3
    values = [(2 * i / (p + t) + 1) / 2 for i, p, t in ((6, 8, 15), (9, 13, 15))] + [1.0]
    means = {round(np.mean([values[k] for k in (a, b, c)]), 5) for a in range(3) for b in range(3) for c in range(3)}
    assert {round(value, 5) for value in drawn.draws[0].tolist()} <= means
    assert len({round(value, 5) for value in drawn.draws[0].tolist()}) > 5
