"""Means by type, their intervals, and what is printed of them."""

from collections.abc import Callable

import numpy as np
import pytest

from btlib.errors import StatsError
from btlib.explain.measured import flat
from btlib.explain.summary import summarise
from btlib.explain.table import sanity_lines, tables
from btlib.runs.explained import Control, ExplainedSlice, Measures, Sanity, SanityStep
from btlib.stats import paired_many, wilson


@pytest.fixture
def row() -> Callable[..., ExplainedSlice]:
    def make(
        number: int, label: int = 0, patient: str | None = "P", pointing: float = 1.0, mass: float = 0.4, **more: float
    ) -> ExplainedSlice:
        inside, outside = more.get("inside", 3.0), more.get("outside", -1.0)
        measures = Measures(
            inside=inside,
            outside=outside,
            ratio=inside / outside if outside else None,
            pointing=pointing,
            tied=64,
            mass=mass,
            silent=bool(more.get("silent", False)),
        )
        known = Control(pointing=0.5, mass=0.2)
        return ExplainedSlice(
            number=number,
            label=label,
            patient=patient,
            part="test",
            base=0.9,
            effect=0.3,
            engine="eager",
            precision="fp32",
            deviation=None,
            faithful=None,
            notes=[],
            chance=0.02,
            total=measures,
            average=measures,
            centre=known,
            random_total=known,
            random_average=known,
        )

    return make


def test_classes_and_all(row: Callable[..., ExplainedSlice]):
    rows = [row(i, label, f"P{i}", inside=float(i)) for i, label in enumerate((0, 2, 2, 0, 0))]
    found = summarise(rows)
    assert {name: group.n for name, group in found.items()} == {"meningioma": 3, "pituitary": 2, "all": 5}
    assert found["meningioma"].means["total_inside"].value == pytest.approx((0 + 3 + 4) / 3)
    assert found["meningioma"].ratio == pytest.approx(-(0 + 3 + 4) / 3)  # of the means, as the thesis's
    assert found["all"].means["mass_beyond_chance"].value == pytest.approx(0.38)
    assert found["all"].means["mass_beyond_centre"].value == pytest.approx(0.2)


def test_intervals_draw_patients_or_else_slices(row: Callable[..., ExplainedSlice]):
    rows = [row(i, patient=f"P{i // 3}", mass=0.1 * i) for i in range(9)]
    group = summarise(rows)["all"]
    assert (group.unit, group.units) == ("patient", 3)
    expected = paired_many([[r.average.mass for r in rows]], [r.patient for r in rows]).rows()[0]
    mean = group.means["mass"]
    assert (mean.value, mean.low, mean.high) == pytest.approx((expected.difference, expected.low, expected.high))
    rows = [row(10 * i + 1, patient=None, mass=0.1 * i) for i in range(9)]
    group = summarise(rows)["all"]
    assert (group.unit, group.units) == ("slice", 9)
    expected = paired_many([[r.average.mass for r in rows]], [r.number for r in rows]).rows()[0]
    assert (group.means["mass"].low, group.means["mass"].high) == pytest.approx((expected.low, expected.high))


def test_hits_and_wilson(row: Callable[..., ExplainedSlice]):
    rows = [row(i, pointing=p) for i, p in enumerate((1.0, 0.6, 0.5, 0.2, 0.0))]  # half is no hit
    group = summarise(rows)["all"]
    expected = wilson(2, 5)
    assert (group.hits, group.hits_low, group.hits_high) == (2, expected.low, expected.high)
    assert group.means["pointing"].value == pytest.approx(0.46)


@pytest.mark.parametrize("n", [1, 3])
def test_one_slice_or_one_patient_has_no_interval(row: Callable[..., ExplainedSlice], n: int):
    group = summarise([row(i) for i in range(n)])["all"]
    assert (group.units, group.means["mass"].low, group.means["mass"].high) == (1, None, None)
    assert group.means["mass"].value == pytest.approx(0.4)
    assert group.hits_low < 1
    assert "0.400 " in tables({"all": group})


def test_no_slices():
    with pytest.raises(StatsError, match="at least 1 slice"):
        summarise([])


def test_the_tables(row: Callable[..., ExplainedSlice]):
    rows = [row(i, i % 2, f"P{i}", outside=0.0, silent=i == 0) for i in range(4)]
    text = tables(summarise(rows))
    lines = text.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("glioma")] == ["–", "0.020"]  # no ratio; chance
    assert "2/2 [0.34, 1.00]" in text
    assert "bootstrap of 4 patients" in text
    assert "1 maps have no positive relevance" in text
    assert max(map(len, lines)) <= 120


def test_the_lines_of_the_sanity_check():
    step = SanityStep(layer="head.out", correlation=-0.25, size=0.5, correlations=[-0.75, 0.25])
    lines = sanity_lines(Sanity(numbers=[3, 5], draws=1, patch=8, steps=[step]))
    assert "2 slices, 1 draws" in lines[0]
    assert lines[-1].split() == ["head.out", "-0.25", "0.50"]


def test_a_flat_row_has_every_column(row: Callable[..., ExplainedSlice]):
    found = flat(row(7, outside=0.0))
    assert (found["number"], found["ratio"], found["mass_beyond_chance"]) == (7, None, pytest.approx(0.38))
    assert np.isfinite([v for v in found.values() if isinstance(v, float)]).all()
