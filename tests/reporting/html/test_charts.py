"""What is drawn: every mark at its value, on its row, in its colour, on an axis that holds it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from btlib.data.sources.tasks import PHANTOM
from btlib.metrics.calibration import Bins
from btlib.reporting.axes import SHARE, difference_limits
from btlib.reporting.html import charts, small_charts
from btlib.reporting.html.charts import Bar, both, boxes, dots, forest, scatter, short
from btlib.reporting.html.small_charts import calibration, confusion, learning, thresholds
from btlib.reporting.palette import ACCENT, BAD, GOOD, INK, LINE, MUTED, SECOND


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were drawn, before they are written."""
    found: list[Figure] = []

    def kept(figure: Figure) -> str:
        found.append(figure)
        return "<svg/>"

    for room in (charts, small_charts):
        monkeypatch.setattr(room, "svg_of", kept)
    return found


def lines(axes: Axes, *, marker: str | None = None, colour: str | None = None) -> list[Line2D]:
    """The lines of an axes that have such a marker ("None" for none) or colour."""
    return [
        line
        for line in axes.lines
        if (marker is None or line.get_marker() == marker) and (colour is None or to_hex(line.get_color()) == colour)
    ]


def xy(found: Sequence[Line2D]) -> list[list[tuple[float, float]]]:
    return [[(float(x), float(y)) for x, y in line.get_xydata()] for line in found]  # type: ignore[union-attr]


def rows_of(axes: Axes) -> list[str]:
    """The labels of the rows as a reader sees them, from top to bottom."""
    low, high = axes.get_ylim()
    texts = [label.get_text() for label in axes.get_yticklabels()]
    return texts if low > high else texts[::-1]


BARS = [
    Bar("first", -0.05, -0.1, 0.01, BAD),
    Bar("second", 0.02, 0.015, 0.03, GOOD),
    Bar("third", 0.0, -0.01, 0.02, MUTED),
]


def test_a_forest_plot(drawn: list[Figure]):
    forest(BARS, [-0.02, 0.25, None], "Dice: measured − baseline")
    (axes,) = drawn[0].axes
    assert rows_of(axes) == ["first", "second", "third"]
    zero, *rest = lines(axes)
    assert xy([zero]) == [[(0, 0), (0, 1)]]
    assert xy(lines(axes, marker="o")) == [[(-0.05, 0)], [(0.02, 1)], [(0.0, 2)]]
    assert [to_hex(line.get_color()) for line in lines(axes, marker="o")] == [BAD, GOOD, MUTED]
    intervals = [line for line in rest if line.get_linewidth() == 2.2]
    assert xy(intervals) == [[(-0.1, 0), (0.01, 0)], [(0.015, 1), (0.03, 1)], [(-0.01, 2), (0.02, 2)]]
    assert [to_hex(line.get_color()) for line in intervals] == [BAD, GOOD, MUTED]
    margins = [line for line in rest if line.get_linewidth() == 1.2]
    assert np.array(xy(margins)) == pytest.approx(
        np.array([[(-0.02, -0.36), (-0.02, 0.36)], [(0.25, 0.64), (0.25, 1.36)]])
    )
    assert axes.get_xlim() == difference_limits(0.25)
    assert axes.get_xlabel() == "Dice: measured − baseline"


def test_a_forest_plot_reaches_as_far_as_its_intervals(drawn: list[Figure]):
    forest(BARS, [-0.02, 0.02, None], "x")
    assert drawn[0].axes[0].get_xlim() == difference_limits(0.1)
    forest([Bar("value beyond its interval", 0.5, 0.1, 0.2, BAD)], [None], "x")
    assert drawn[1].axes[0].get_xlim() == difference_limits(0.5)


def test_boxes(drawn: list[Figure]):
    many, few = np.array([0.1, 0.2, 0.3, 0.9, 0.95, 0.97]), np.array([0.5, 0.6, 1.0, 0.6])
    boxes([("many", many), ("few", few)], "Dice", SHARE)
    (axes,) = drawn[0].axes
    assert rows_of(axes) == ["many\nn = 6", "few\nn = 4"]
    points = lines(axes, marker="o", colour=ACCENT)
    for y, (line, values) in enumerate(zip(points, (many, few), strict=True)):
        assert np.asarray(line.get_xdata()).tolist() == values.tolist()
        assert np.abs(np.asarray(line.get_ydata()) - y).max() <= 0.3
    assert xy(lines(axes, marker="D")) == [[(pytest.approx(many.mean()), 0)], [(pytest.approx(few.mean()), 1)]]
    (median,) = [line for line in lines(axes) if line.get_linewidth() == 2]
    assert np.asarray(median.get_xdata()) == pytest.approx(np.median(many))
    ink = np.concatenate([np.asarray(line.get_xydata()) for line in lines(axes, colour=INK)])
    assert set(ink[:, 1].round(6)) <= {-0.25, -0.125, 0.0, 0.125, 0.25}, "only the case of six samples has a box"
    low, high = np.percentile(many, (25, 75))
    assert {round(x, 6) for x in ink[:, 0]} >= {round(float(low), 6), round(float(high), 6), 0.1, 0.97}
    assert axes.get_xlim() == SHARE
    assert axes.get_xlabel() == "Dice; diamond: mean"


def test_five_slices_have_a_box(drawn: list[Figure]):
    boxes([("five", np.arange(5.0))], "HD95 [px]", (0.0, None))
    axes = drawn[0].axes[0]
    assert len([line for line in lines(axes) if line.get_linewidth() == 2]) == 1
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlim()[1] > 4


def test_dots(drawn: list[Figure]):
    series = [("meningioma", [0.5, None]), ("glioma", [0.75, 0.25]), ("pituitary", [None, None])]
    dots(["first", "second"], series, "mean Dice", SHARE)
    (axes,) = drawn[0].axes
    assert rows_of(axes) == ["first", "second"]
    assert xy(lines(axes, colour=LINE)) == [[(0.5, 0), (0.75, 0)], [(0.25, 1), (0.25, 1)]]
    assert xy(lines(axes, marker="o")) == [[(0.5, 0)]]
    assert xy(lines(axes, marker="s")) == [[(0.75, 0), (0.25, 1)]]
    assert xy(lines(axes, marker="^")) == [[]]
    found = {text.get_text(): handle for text, handle in zip(*_legend(drawn[0]), strict=True)}
    assert {name: handle.get_marker() for name, handle in found.items()} == {
        "meningioma": "o",
        "glioma": "s",
        "pituitary": "^",
    }
    assert [to_hex(lines(axes, marker=m)[0].get_color()) for m in "os^"] == [ACCENT, SECOND, INK]
    assert axes.get_xlim() == SHARE


def test_every_group_of_many_has_a_mark_of_its_own(drawn: list[Figure]):
    """Whatever it is called: matplotlib leaves out names that begin with "_" where it is not told of them."""
    names = ["_first", *(f"group {k}" for k in range(19)), "x" * 80]
    dots(["a case"], [(name, [k / 20]) for k, name in enumerate(names)], "mean Dice", SHARE)
    (axes,) = drawn[0].axes
    marks = [line for line in axes.lines if line.get_marker() != "None"]
    assert xy(marks) == [[(k / 20, 0)] for k in range(21)]
    assert len({(line.get_marker(), to_hex(line.get_color())) for line in marks}) == 21
    texts, _ = _legend(drawn[0])
    assert [text.get_text() for text in texts][:20] == names[:20]
    assert len(texts[20].get_text()) <= 20
    drawn[0].canvas.draw()
    box = drawn[0].legends[0].get_window_extent()
    assert box.y0 >= axes.get_window_extent().y1 - 1, "the legend covers no mark"
    assert box.x0 >= 0


def _legend(figure: Figure) -> tuple[list, list]:  # type: ignore[type-arg]
    (legend,) = figure.legends
    return legend.get_texts(), legend.get_lines()


def test_a_confusion_matrix_of_long_names_holds_them(drawn: list[Figure]):
    confusion(np.eye(4, dtype=np.int64), ["a", "benign lesions of many kinds", "no finding", "$x_1$"], "the case")
    drawn[0].canvas.draw()
    labels = drawn[0].axes[0].get_yticklabels()
    assert [label.get_text() for label in labels][::2] == ["a", "no finding"]
    assert min(label.get_window_extent().x0 for label in labels) >= 0


@pytest.mark.parametrize(("fastest", "scale"), [(80.0, "linear"), (80.1, "log")])
def test_a_scatter_plot(drawn: list[Figure], fastest: float, scale: str):
    points = [("slow", 10.0, 0.5), ("fast", fastest, 0.25), ("middle", 30.0, 0.75)]
    scatter(points, "images/s", "Dice", SHARE)
    (axes,) = drawn[0].axes
    assert axes.get_xscale() == scale
    assert xy(lines(axes)) == [[(10, 0.5), (fastest, 0.25), (30, 0.75)]]
    assert [(text.get_text(), text.xy) for text in axes.texts] == [(name, (x, y)) for name, x, y in points]  # type: ignore[attr-defined]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_ylim()) == ("images/s", "Dice", SHARE)
    low, high = axes.get_xlim()
    assert low < 10
    assert high > fastest


def test_labels_cover_neither_points_nor_each_other(drawn: list[Figure]):
    at = np.array([[100.0, 100], [104, 100], [100, 103], [140, 100]])
    letters = [4, 5, 6, 1]
    offsets = charts._apart(at, letters)
    boxes_ = [
        (x + dx, y + dy - 5, x + dx + 6 * n, y + dy + 5)
        for (x, y), (dx, dy), n in zip(at, offsets, letters, strict=True)
    ]
    points = [(x - 4, y - 4, x + 4, y + 4) for x, y in at]
    taken = [*points, *boxes_]
    overlaps = [(i, j) for i, a in enumerate(boxes_) for j, b in enumerate(taken) if i + 4 != j and charts._cover(a, b)]
    assert overlaps == []
    assert charts._apart(np.array([[0.0, 0.0]]), [3]) == [(8.0, 0.0)], "beside its point, where there is room"


@pytest.mark.parametrize(
    ("a", "b", "covers"),
    [
        ((0, 0, 4, 2), (3, 1, 9, 9), True),
        ((0, 0, 4, 2), (4, 0, 9, 2), False),
        ((0, 0, 4, 2), (0, 2, 4, 9), False),
        ((0, 0, 4, 2), (-9, -9, 1, 1), True),
        ((0, 0, 9, 9), (3, 3, 4, 4), True),
    ],
)
def test_boxes_that_touch_do_not_cover(a: tuple[float, ...], b: tuple[float, ...], covers: bool):
    assert charts._cover(a, b) == charts._cover(b, a) == covers


def test_labels_of_two_cases():
    assert both("A", "−", "B") == "A − B"
    assert both("x" * 14, "−", "y" * 13) == f"{'x' * 14} − {'y' * 13}"
    assert both("x" * 14, "−", "y" * 14) == f"{'x' * 14}\n− {'y' * 14}"
    first, second = both("x" * 40, "against", "y" * 40).split("\n")
    assert (len(first), len(second)) == (30, 30)
    assert second.startswith("against y")
    assert short("abc") == "abc"


COUNTS = np.array([[6, 2, 0], [0, 0, 0], [1, 0, 9]])


def test_a_confusion_matrix(drawn: list[Figure]):
    """Rows are the truth; a share is one of its row, and a type that is absent has none."""
    confusion(COUNTS, PHANTOM.classes, "the case")
    (axes,) = drawn[0].axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["meningioma", "glioma", "pituitary"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["meni.", "glio.", "pitu."]
    assert (axes.get_xlabel(), axes.get_title(loc="left")) == ("predicted", "the case")
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 2.5), (2.5, -0.5))
    texts: dict[tuple[int, int], list[str]] = {}
    for text in axes.texts:
        x, y = text.get_position()
        texts.setdefault((round(y), round(x)), []).append(text.get_text())
    assert texts == {
        **{(0, 0): ["6", "75%"], (0, 1): ["2", "25%"], (0, 2): ["0", "0%"]},
        **{(1, column): ["0", "0%"] for column in range(3)},
        **{(2, 0): ["1", "10%"], (2, 1): ["0", "0%"], (2, 2): ["9", "90%"]},
    }
    faces = {
        (round(p.get_y() + 0.44), round(p.get_x() + 0.44)): p.get_facecolor()  # type: ignore[attr-defined]
        for p in axes.patches
    }
    assert faces[0, 0] == pytest.approx(to_rgba(ACCENT, 0.45 * 0.75))
    assert faces[0, 1] == pytest.approx(to_rgba(SECOND, 0.45 * 0.25))
    assert faces[2, 0] == pytest.approx(to_rgba(SECOND, 0.45 * 0.1))
    assert faces[2, 2] == pytest.approx(to_rgba(ACCENT, 0.45 * 0.9))


def test_a_calibration_curve(drawn: list[Figure]):
    """Probability across, accuracy up; bins without samples are left out."""
    count = np.array([0.0, 1.0, 4.0, 0.0])
    bins = Bins(count=count, confidence=count * [0, 0.5, 0.75, 0], right=count * [0, 0.0, 0.25, 0])
    calibration(bins, 0.4567, "the case")
    (axes,) = drawn[0].axes
    diagonal, curve, *points = lines(axes)
    assert xy([diagonal, curve]) == [[(0, 0), (1, 1)], [(0.5, 0.0), (0.75, 0.25)]]
    assert to_hex(diagonal.get_color()) == MUTED
    assert xy(points) == [[(0.5, 0.0)], [(0.75, 0.25)]]
    assert [point.get_markersize() for point in points] == [3 + 9 * 0.5, 12]
    assert [text.get_text() for text in axes.texts] == ["error 0.457"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("probability of the predicted class", "accuracy")
    assert axes.get_xlim() == axes.get_ylim() == SHARE


def test_dice_by_threshold(drawn: list[Figure]):
    curves = [([0.1, 0.9], [0.5, 0.25]), ([0.1, 0.9], [0.75, 0.0])]
    thresholds(curves, [0.35, 0.65], "the case")
    (axes,) = drawn[0].axes
    assert xy(lines(axes, colour=ACCENT)) == [[(0.1, 0.5), (0.9, 0.25)], [(0.1, 0.75), (0.9, 0.0)]]
    assert xy(lines(axes, colour=SECOND)) == [[(0.35, 0), (0.35, 1)], [(0.65, 0), (0.65, 1)]]
    assert [(text.get_text(), text.get_position()) for text in axes.texts] == [
        (" 0.35", (0.35, 1)),
        (" 0.65", (0.65, 0.88)),
    ]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xlim(), axes.get_ylim()) == (
        *("threshold", "mean Dice", SHARE, SHARE),
    )


def test_learning_curves(drawn: list[Figure]):
    """Losses above, scores below; an epoch without a value has no mark, a score that never was no line."""
    curves = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_loss": [3.0, 2.0, 1.0],
            "val_loss": [4.0, np.nan, 5.0],
            "val_dice": [0.25, 0.5, 0.75],
            "val_accuracy": [np.nan] * 3,
        }
    )
    learning(curves, "the case")
    above, below = drawn[0].axes
    assert above.get_position().y0 > below.get_position().y0
    assert {line.get_label(): xy([line])[0] for line in above.lines} == {
        "train": [(1, 3), (2, 2), (3, 1)],
        "validation": [(1, 4), (3, 5)],
    }
    assert {line.get_label(): xy([line])[0] for line in below.lines} == {"Dice": [(1, 0.25), (2, 0.5), (3, 0.75)]}
    assert [to_hex(line.get_color()) for line in above.lines] == [ACCENT, SECOND]
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("loss", "validation", "epoch")
    assert below.get_ylim() == SHARE


@pytest.mark.parametrize(("epochs", "marker"), [(40, "o"), (41, "None")])
def test_few_epochs_have_marks(drawn: list[Figure], epochs: int, marker: str):
    curves = pd.DataFrame({"epoch": range(epochs), "train_loss": 1.0, "val_loss": 1.0})
    learning(curves, "x")
    above, below = drawn[0].axes
    assert {line.get_marker() for line in above.lines} == {marker}
    assert len(below.lines) == 0
    assert below.get_legend() is None
