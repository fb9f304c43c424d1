"""Means by type, their intervals, and what is printed of them."""

from collections.abc import Callable

import numpy as np
import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.errors import StatsError
from btlib.explain.explained import Control, ExplainedSample, Group, Mean, Measures, Sanity, SanityStep
from btlib.explain.measured import flat
from btlib.explain.summary import summarise
from btlib.explain.table import sanity_lines, tables
from btlib.stats import paired_many, wilson

CLASSES = PHANTOM.classes


@pytest.fixture
def row() -> Callable[..., ExplainedSample]:
    def make(
        number: int, label: int = 0, patient: str | None = "P", pointing: float = 1.0, mass: float = 0.4, **more: float
    ) -> ExplainedSample:
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
        return ExplainedSample(
            id=str(number),
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


def test_classes_and_all(row: Callable[..., ExplainedSample]):
    rows = [row(i, label, f"P{i}", inside=float(i)) for i, label in enumerate((0, 2, 2, 0, 0))]
    found = summarise(rows, CLASSES)
    assert {name: group.n for name, group in found.items()} == {"meningioma": 3, "pituitary": 2, "all": 5}
    assert found["meningioma"].means["total_inside"].value == pytest.approx((0 + 3 + 4) / 3)
    assert found["meningioma"].ratio == pytest.approx(-(0 + 3 + 4) / 3)  # of the means, as the thesis's
    assert found["all"].means["mass_beyond_chance"].value == pytest.approx(0.38)
    assert found["all"].means["mass_beyond_centre"].value == pytest.approx(0.2)


def test_intervals_draw_patients_or_else_slices(row: Callable[..., ExplainedSample]):
    rows = [row(i, patient=f"P{i // 3}", mass=0.1 * i) for i in range(9)]
    group = summarise(rows, CLASSES)["all"]
    assert (group.unit, group.units) == ("patient", 3)
    expected = paired_many([[r.average.mass for r in rows]], [r.patient for r in rows]).rows()[0]
    mean = group.means["mass"]
    assert (mean.value, mean.low, mean.high) == pytest.approx((expected.difference, expected.low, expected.high))
    rows = [row(10 * i + 1, patient=None, mass=0.1 * i) for i in range(9)]
    group = summarise(rows, CLASSES)["all"]
    assert (group.unit, group.units) == ("sample", 9)
    expected = paired_many([[r.average.mass for r in rows]], [int(r.id) for r in rows]).rows()[0]
    assert (group.means["mass"].low, group.means["mass"].high) == pytest.approx((expected.low, expected.high))


def test_hits_and_wilson(row: Callable[..., ExplainedSample]):
    rows = [row(i, pointing=p) for i, p in enumerate((1.0, 0.6, 0.5, 0.2, 0.0))]  # half is no hit
    group = summarise(rows, CLASSES)["all"]
    expected = wilson(2, 5)
    assert (group.hits, group.hits_low, group.hits_high) == (2, expected.low, expected.high)
    assert group.means["pointing"].value == pytest.approx(0.46)


@pytest.mark.parametrize("n", [1, 3])
def test_one_slice_or_one_patient_has_no_interval(row: Callable[..., ExplainedSample], n: int):
    group = summarise([row(i) for i in range(n)], CLASSES)["all"]
    assert (group.units, group.means["mass"].low, group.means["mass"].high) == (1, None, None)
    assert group.means["mass"].value == pytest.approx(0.4)
    assert group.hits_low < 1
    assert "0.400 " in tables({"all": group})


def test_two_patients_have_an_interval(row: Callable[..., ExplainedSample]):
    rows = [row(1, patient="P", mass=0.1), row(2, patient="Q", mass=0.7), row(3, patient="Q")]
    group = summarise(rows, CLASSES)["all"]
    mean = group.means["mass"]
    assert group.units == 2
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low < mean.value < mean.high


def test_no_slices():
    with pytest.raises(StatsError, match="at least 1 sample"):
        summarise([], CLASSES)


def test_the_tables(row: Callable[..., ExplainedSample]):
    rows = [row(i, i % 2, f"P{i}", outside=0.0, silent=i == 0) for i in range(4)]
    text = tables(summarise(rows, CLASSES))
    lines = text.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("glioma")] == ["–", "0.020"]  # no ratio; chance
    assert "2/2 [0.34, 1.00]" in text
    assert "bootstrap of 4 patients" in text
    assert "1 maps have no positive relevance" in text
    assert max(map(len, lines)) <= 120


def test_the_lines_of_the_sanity_check():
    step = SanityStep(layer="head.out", correlation=-0.25, size=0.5, correlations=[-0.75, 0.25])
    lines = sanity_lines(Sanity(ids=["3", "5"], draws=1, patch=8, steps=[step]))
    assert "2 samples, 1 draws" in lines[0]
    assert lines[-1].split() == ["head.out", "-0.25", "0.50"]


def test_a_flat_row_has_every_column(row: Callable[..., ExplainedSample]):
    found = flat(row(7, outside=0.0))
    assert (found["id"], found["ratio"], found["mass_beyond_chance"]) == ("7", None, pytest.approx(0.38))
    assert np.isfinite([v for v in found.values() if isinstance(v, float)]).all()


@pytest.fixture
def distinct(row: Callable[..., ExplainedSample]) -> Callable[[int], ExplainedSample]:
    """A sample of which no two numbers are the same."""

    def make(number: int) -> ExplainedSample:
        def measures(k: float) -> Measures:
            values = {"inside": k + 0.25, "outside": k + 0.5, "ratio": k + 0.75, "pointing": k / 16, "mass": k / 8}
            return Measures(**values, tied=int(k), silent=False)

        def known(k: float) -> Control:
            return Control(pointing=k / 64, mass=k / 32)

        quiet = measures(2).model_copy(update={"silent": True})
        changes = {"total": measures(1), "average": quiet, "centre": known(3), "random_total": known(4)}
        changes |= {
            "random_average": known(5),
            "chance": 0.015625,
            "effect": 0.375,
            "deviation": 0.01,
            "faithful": True,
        }
        return row(number, label=2, patient=f"P{number}").model_copy(update=changes)

    return make


MEANS = {
    "total_inside": 1.25,
    "total_outside": 1.5,
    "total_difference": -0.25,
    "average_inside": 2.25,
    "average_outside": 2.5,
    "average_difference": -0.25,
    "chance": 0.015625,
    "pointing": 2 / 16,
    "centre_pointing": 3 / 64,
    "random_pointing": 5 / 64,
    "mass": 2 / 8,
    "centre_mass": 3 / 32,
    "random_mass": 5 / 32,
    "pointing_beyond_chance": 2 / 16 - 0.015625,
    "pointing_beyond_centre": 2 / 16 - 3 / 64,
    "mass_beyond_chance": 2 / 8 - 0.015625,
    "mass_beyond_centre": 2 / 8 - 3 / 32,
}


def test_every_mean_is_of_its_own_measure(distinct: Callable[[int], ExplainedSample]):
    for n in (1, 2):
        group = summarise([distinct(k) for k in range(n)], CLASSES)["pituitary"]
        assert {name: mean.value for name, mean in group.means.items()} == pytest.approx(MEANS)
        assert group.ratio == pytest.approx(1.25 / 1.5)
        assert group.silent == n, "of the average map"


def test_every_column_of_a_flat_row(distinct: Callable[[int], ExplainedSample]):
    plain = {
        **{"id": "7", "label": 2, "patient": "P7", "part": "test", "base": 0.9, "effect": 0.375, "engine": "eager"},
        **{"precision": "fp32", "deviation": 0.01, "faithful": True},
    }
    more = {
        **{"ratio": 1.75, "tied": 2, "total_pointing": 1 / 16, "random_total_pointing": 4 / 64},
        **{"total_mass": 1 / 8, "random_total_mass": 4 / 32},
    }
    found = flat(distinct(7))
    assert found == plain | MEANS | more
    assert list(found) == [*plain, *MEANS, *more]


def test_every_cell_of_the_tables():
    """Each number under its title: no two are the same."""
    names = ("total_inside", "total_outside", "centre_pointing", "random_pointing", "mass", "centre_mass")
    values = dict(zip((*names, "random_mass", "chance"), (1.5, -0.25, 0.12, 0.34, 0.5, 0.61, 0.72, 0.83), strict=True))
    means = {name: Mean(value=v, low=v - 0.125, high=v + 0.0625) for name, v in values.items()}
    group = Group(n=9, unit="sample", units=8, ratio=-6.0, hits=4, hits_low=0.14, hits_high=0.79, silent=0, means=means)
    lines = [" ".join(line.split()) for line in tables({"glioma": group, "all": group}).splitlines()]
    assert lines[1:5] == [
        "samples inside outside ratio",
        lines[2],
        "glioma 9 +1.5 [+1.38, +1.56] -0.25 [-0.375, -0.188] -6",
        "all 9 +1.5 [+1.38, +1.56] -0.25 [-0.375, -0.188] -6",
    ]
    assert lines[7] == "hits centre prior random mass in tumour centre prior random chance"
    assert lines[9] == "glioma 4/9 [0.14, 0.79] 0.12 0.34 0.500 [0.375, 0.562] 0.610 0.720 0.830"
    assert lines[-1] == "Intervals: 95 %; means: bootstrap of 8 samples; hits: Wilson's interval over samples."
    more = tables({"glioma": group, "all": group.model_copy(update={"silent": 2, "units": 5, "unit": "patient"})})
    assert more.splitlines()[-2:] == [
        "Intervals: 95 %; means: bootstrap of 5 patients; hits: Wilson's interval over samples.",
        "2 maps have no positive relevance; their mass is equal to chance.",
    ]
