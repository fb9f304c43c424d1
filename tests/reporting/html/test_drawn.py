"""What each figure is made of: which values, of which samples, in which colour, with which margin."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.thresholds import ThresholdCurve
from btlib.gate import Verdict
from btlib.gate.ranking import Ranking
from btlib.reporting import Comparison, PairTest
from btlib.reporting.axes import SHARE
from btlib.reporting.html import figures as room
from btlib.reporting.html.charts import Bar
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.figures import Drawn, figures
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.views import View
from btlib.reporting.palette import ACCENT, BAD, GOOD, MUTED, WARN
from btlib.runs import ModelInfo
from btlib.runs.cell import Cell
from btlib.runs.throughput import Throughput
from btlib.sample_table import BOUNDARY, OVERLAP, TRUTH, SampleTable

from ..tables import changed, in_order, with_boundary, with_measures

Table = Callable[..., SampleTable]
Make = Callable[..., Entry]


class Spy:
    """The functions that draw, replaced by ones that keep what they were asked to draw."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        def drawn(*args: Any) -> str:
            self.asked.append(args)
            return f"svg {len(self.asked) - 1}"

        return drawn

    def of(self, figure: Drawn) -> tuple[Any, ...]:
        return self.asked[int(figure.svg.removeprefix("svg "))]


class Charts(Spy):
    short = staticmethod(room.charts.short)
    both = staticmethod(room.charts.both)
    Bar = Bar


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, tuple[Drawn, tuple[Any, ...]]]]:
    """By name, each figure and what was to be drawn."""

    def draw(entries: list[Entry], *tests: PairTest) -> dict[str, tuple[Drawn, tuple[Any, ...]]]:
        big, small = Charts(), Spy()
        monkeypatch.setattr(room, "charts", big)
        monkeypatch.setattr(room, "small_charts", small)
        found = list(figures(entries, tests, Problems()))
        assert len({figure.name for figure in found}) == len(found)
        of = dict.fromkeys(("confusion", "calibration", "threshold", "learning"), small)
        return {figure.name: (figure, of.get(figure.section, big).of(figure)) for figure in found}

    return draw


def verdict(case: str, status: Any, metric: str = "dice", **more: Any) -> Verdict:
    known = {"difference": -0.1, "low": -0.2, "high": 0.05, "margin": 0.02, "method": "paired by patient"}
    return Verdict(case, metric, status, **(known | more))


def test_differences_to_the_baseline(drawn: Callable[..., Any], entry: Make, make_table: Table):
    """A loss that is tolerated lies below 0 where higher is better, above where lower is."""
    table = make_table(6)
    first = (
        verdict("A", "regressed"),
        verdict("A", "improved", "hd95", difference=-3.0, low=-4.0, high=-2.0, margin=0.5),
    )
    second = (verdict("B", "inconclusive", low=None, high=None, margin=None), verdict("B", "error", difference=None))
    found = drawn([entry("A", table, verdicts=first), entry("B", table, verdicts=second)])
    figure, (bars, margins, axis) = found["difference-dice"]
    assert bars == [Bar("A", -0.1, -0.2, 0.05, BAD), Bar("B", -0.1, -0.1, -0.1, WARN)]
    assert (margins, axis) == ([-0.02, None], "Dice: measured − baseline")
    assert (figure.section, figure.title) == ("differences", "Difference in Dice from the baseline")
    assert figure.caption.startswith("Dotted line: tolerated loss. Paired: both sides")
    _, (bars, margins, axis) = found["difference-hd95"]
    assert bars == [Bar("A", -3.0, -4.0, -2.0, GOOD)]
    assert (margins, axis) == ([0.5], "HD95: measured − baseline")


def test_differences_of_a_new_case_are_to_each_reference(
    drawn: Callable[..., Any], entry: Make, make_table: Table, empty_view: View
):
    rankings = [
        Ranking(
            "N",
            reference,
            "dice",
            status,
            0.5,
            0.6,
            0.02,
            -0.1,
            -0.2,
            0.0,
            "unpaired, by patient",
            0.1,
            2,
            3,
            None,
            None,
        )
        for reference, status in (("old", "regressed"), ("other", "pass"))
    ]
    view = replace(empty_view, comparison=Comparison(empty_view.info, (), rankings=tuple(rankings)))
    new = entry("N", make_table(6), view=view, verdicts=(verdict("N", "pass", reference="other"),))
    figure, (bars, _, _) = drawn([new, entry("A", make_table(6), view=view)])["difference-dice"]
    assert [(bar.label, bar.colour) for bar in bars] == [("N vs. old", BAD), ("N vs. other", GOOD)]
    assert "Unpaired" in figure.caption


def pair(family: str, first: str, second: str, metric: str, difference: float, p: float, p_holm: float) -> PairTest:
    bounds = (difference - 0.1, difference + 0.2)
    return PairTest(
        *(family, first, second, metric, 9, "patient", 9, difference, *bounds),
        *(p, False, p_holm, False, None, None, False, False, ""),
    )


def test_pairs_are_coloured_by_the_corrected_p(drawn: Callable[..., Any]):
    tests = [
        pair("thesis", "E", "A", "dice", 0.5, 0.001, 0.001),
        pair("all pairs", "B", "A", "dice", 0.1, 0.001, 0.049),
        pair("all pairs", "C", "A", "dice", -0.1, 0.001, 0.05),
        pair("all pairs", "C", "A", "accuracy", 0.3, 0.9, 0.9),
    ]
    found = drawn([], *tests)
    figure, (bars, margins, axis) = found["pairs-dice"]
    assert bars == [Bar("B − A", 0.1, 0.0, pytest.approx(0.3), ACCENT), Bar("C − A", -0.1, -0.2, 0.1, MUTED)]
    assert (margins, axis) == ([None, None], "Dice: first − second")
    assert (figure.section, figure.caption) == ("pairs", "Coloured: Holm-corrected p below 0.05.")
    assert list(found) == ["pairs-dice", "pairs-accuracy"]


@pytest.fixture
def seeds(make_table: Table) -> list[SampleTable]:
    """Two seeds of nine samples, the second in another order; with boundaries, and without a pituitary tumour."""
    made = []
    for seed, wrong in ((1, 7), (2, 5)):
        table = make_table(9, seed=seed, wrong=wrong)
        labelled = changed(table, label=[0, 1, 0, 0, 1, 0, 1, 0, 0])
        made.append(with_boundary(labelled, [1.0 + i * seed for i in range(9)]))
    return [made[0], in_order(made[1], range(9)[::-1])]


def test_every_slice_is_a_point_the_mean_over_seeds(
    drawn: Callable[..., Any], entry: Make, seeds: list[SampleTable], make_table: Table
):
    masks = entry("M", make_table(9, classes=False))
    found = drawn([entry("A", *seeds), masks, entry("broken")])
    _, (rows, axis, limits) = found["samples-dice"]
    assert [label for label, _ in rows] == ["A", "M"]
    np.testing.assert_allclose(rows[0][1], (per_sample(seeds[0], "dice") + per_sample(seeds[1], "dice")[::-1]) / 2)
    assert (axis, limits) == ("Dice", SHARE)
    _, (rows, axis, limits) = found["samples-hd95"]
    assert [label for label, _ in rows] == ["A"]
    np.testing.assert_allclose(rows[0][1], [1 + 1.5 * i for i in range(9)])
    assert (axis, limits) == ("HD95 [px]", (0.0, None))
    _, (rows, axis, limits) = found["samples-probability"]
    assert [label for label, _ in rows] == ["A"]
    prob = seeds[0].class_prob
    np.testing.assert_array_equal(rows[0][1], [prob[i][k] for i, k in enumerate(seeds[0].labels)])
    assert (axis, limits) == ("probability of the true class", SHARE)


def test_a_sample_without_a_value_is_no_point(
    drawn: Callable[..., Any], entry: Make, seeds: list[SampleTable], make_table: Table
):
    """Both masks are empty: there is no distance between boundaries. A case of such samples alone has no row."""

    def emptied(table: SampleTable, how_many: int) -> SampleTable:
        nothing = dict.fromkeys(BOUNDARY) | dict.fromkeys((TRUTH, *OVERLAP), 0)
        rest = {name: table.columns[f"tumour/{name}"][how_many:] for name in nothing}
        return with_measures(table, **{name: [nothing[name]] * how_many + rest[name] for name in nothing})

    cases = [entry("A", emptied(seeds[0], 2)), entry("nothing", emptied(seeds[0], 9))]
    _, (rows, _, _) = drawn(cases)["samples-hd95"]
    assert [label for label, _ in rows] == ["A"]
    np.testing.assert_allclose(rows[0][1], [1.0 + i for i in range(2, 9)])
    _, (rows, _, _) = drawn(cases)["samples-dice"]
    assert [len(values) for _, values in rows] == [9, 9]
    assert rows[1][1].tolist() == [1.0] * 9


def test_dice_by_type_and_size(drawn: Callable[..., Any], entry: Make, seeds: list[SampleTable], make_table: Table):
    found = drawn([entry("T", make_table(9, mask=False)), entry("A", *seeds)])
    dice = (per_sample(seeds[0], "dice") + per_sample(seeds[1], "dice")[::-1]) / 2
    label, area = seeds[0].labels, seeds[0].truth_area[:, 0]
    figure, (labels, series, axis, limits) = found["dice-by-class"]
    assert (labels, axis, limits) == (["A"], "mean Dice", SHARE)
    assert series == [
        ("meningioma", [pytest.approx(dice[label == 0].mean())]),
        ("glioma", [pytest.approx(dice[label == 1].mean())]),
        ("pituitary", [None]),
    ]
    assert figure.caption == "6 meningioma, 3 glioma, 0 pituitary; 9 samples."
    figure, (_, series, _, _) = found["dice-by-size"]
    order = np.argsort(area, kind="stable")
    thirds = [dice[order[k : k + 3]].mean() for k in (0, 3, 6)]
    assert series == [(name, [pytest.approx(v)]) for name, v in zip(("small", "middle", "large"), thirds, strict=True)]
    assert (figure.title, figure.caption) == (*("Dice by size", "thirds of the samples by true area; 9 samples."),)
    assert list(drawn([entry("T", make_table(9, mask=False))])) == [
        "samples-probability",
        "confusion-T",
        "calibration-T",
    ]


def test_the_confusion_matrix_has_the_truth_in_its_rows(
    drawn: Callable[..., Any], entry: Make, seeds: list[SampleTable]
):
    """Of the first seed: glioma is there, pituitary is not, and is predicted."""
    from sklearn.metrics import confusion_matrix

    table, prob = seeds[0], seeds[0].class_prob
    found = drawn([entry("A", *seeds)])
    figure, (counts, classes, title) = found["confusion-A"]
    assert classes == list(PHANTOM.classes)
    wanted = confusion_matrix(table.label, prob.argmax(axis=1), labels=[0, 1, 2])
    assert (wanted != wanted.T).any()
    np.testing.assert_array_equal(counts, wanted)
    assert (figure.title, title) == ("Confusion matrix of A", "A")
    _, (bins, error, _) = found["calibration-A"]
    right = prob.argmax(axis=1) == table.label
    assert (bins.count.sum(), bins.right.sum()) == (9, right.sum())
    assert error == pytest.approx(abs(0.8 - right.mean()))


def test_every_seed_has_its_threshold_curve_and_each_threshold_stands_once(
    drawn: Callable[..., Any], entry: Make, make_table: Table
):
    made = entry("A", *[make_table(6, seed=s) for s in (1, 2, 3, 4)])
    records = []
    for record, own in zip(made.records, (0.7, None, 0.3, 0.7), strict=True):
        details = {} if own is None else {"threshold": own}
        model = ModelInfo(source="trained", fingerprint=None, seconds=1.0, details=details, notes=[])
        curve = ThresholdCurve(thresholds=[0.3, 0.7], dice=[0.1 * record.seed, 0.5])
        records.append(
            record.model_copy(update={"model": model, "threshold_curve": curve if record.seed < 4 else None})
        )
    found = drawn([replace(made, records=tuple(records))])
    _, (curves, used, title) = found["threshold-A"]
    assert [dice[0] for _, dice in curves] == pytest.approx([0.1, 0.2, 0.3])
    assert (used, title) == ([0.3, 0.65, 0.7], "A")


def test_learning_curves_are_of_their_case_and_seed(
    drawn: Callable[..., Any], entry: Make, make_table: Table, empty_view: View
):
    for seed in (9, 10):
        path = empty_view.store.curves_path(Cell("A", seed))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"epoch,train_loss,val_loss,val_dice,val_accuracy\n1,{seed}.0,1.1,0.5,\n")
    found = drawn([entry("A", make_table(6), make_table(6), seeds=(9, 10)), entry("B", make_table(6))])
    learnt = {name: args for name, (_, args) in found.items() if name.startswith("learning")}
    assert list(learnt) == ["learning-A-seed9", "learning-A-seed10"]
    for seed in (9, 10):
        curves, title = learnt[f"learning-A-seed{seed}"]
        assert (curves["train_loss"].tolist(), title) == ([seed], f"A, seed {seed}")


def test_quality_against_speed(drawn: Callable[..., Any], entry: Make, make_table: Table):
    """At batch 16 alone, of the cases that have both."""

    def throughputs(**images: float) -> dict[str, Throughput]:
        return {f"inference, batch {name[1:]}": Throughput(images_per_second=n) for name, n in images.items()}

    cases = [
        entry("A", make_table(6, classes=False), speeds=throughputs(b1=5.0, b16=80.0)),
        entry("B", make_table(6, wrong=3), speeds=throughputs(b16=40.0)),
        entry("C", make_table(6), speeds=throughputs(b1=7.0)),
    ]
    found = drawn(cases)
    dice = [per_sample(make_table(6), "dice").mean()] * 2
    _, (points, x_axis, y_axis, limits) = found["speed-dice"]
    assert points == [("A", 80.0, pytest.approx(dice[0])), ("B", 40.0, pytest.approx(dice[1]))]
    assert (x_axis, y_axis, limits) == ("images/s, inference, batch 16", "Dice", SHARE)
    assert found["speed-accuracy"][1][0] == [("B", 40.0, 0.5)]
