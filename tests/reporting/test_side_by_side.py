"""Values of several sources beside each other: cells in the table, marks and intervals in the picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from btlib import Baseline
from btlib.gate.baseline_case import ReferenceValue
from btlib.reporting import side_by_side as room
from btlib.reporting.axes import SHARE
from btlib.reporting.palette import ACCENT, MUTED, SECOND
from btlib.reporting.side_by_side import conditions_line, draw_side_by_side, side_by_side
from btlib.reporting.sources import Source
from btlib.reporting.values import Column, Value, column
from btlib.results import CaseResult, Conditions, PatientFacts, SeedRun
from btlib.sample_table import SampleTable

from .cells import rows

Table = Callable[..., SampleTable]

COLUMNS = [
    Column("first", {("B", "dice"): Value(0.5, (0.25, 0.625)), ("A", "dice"): Value(0.75), ("A", "hd95"): "error"}),
    Column("second | x", {("A", "dice"): Value(0.9, (0.85, 0.95)), ("C", "dice"): "timeout", ("A", "hd95"): Value(7)}),
    Column("third", {("B", "hd95"): Value(12.0, (10.0, 15.0))}),
]


def test_every_value_stands_in_its_row_and_column():
    text = side_by_side(COLUMNS, ["dice", "hd95"], "github").replace(r"\|", "/")
    titles = ("case", "metric", "first", "second / x", "third")
    assert rows(text) == [
        dict(zip(titles, cells, strict=True))
        for cells in (
            ("B", "Dice", "0.5000 (0.2500 … 0.6250)", "–", "–"),
            ("B", "HD95", "–", "–", "12.0000 (10.0000 … 15.0000)"),
            ("A", "Dice", "0.7500", "0.9000 (0.8500 … 0.9500)", "–"),
            ("A", "HD95", "error", "7.0000", "–"),
            ("C", "Dice", "–", "timeout", "–"),
        )
    ]
    assert [row["metric"] for row in rows(side_by_side(COLUMNS, ["hd95"], "github").replace(r"\|", "/"))] == [
        "HD95"
    ] * 2


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Axes]:
    drawn: list[Figure] = []
    monkeypatch.setattr(room, "save", lambda figure, path: drawn.append(figure))
    draw_side_by_side(COLUMNS, ["dice", "hd95"], tmp_path / "x.svg")
    (figure,) = drawn
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["first", "second | x", "third"]
    assert [handle.get_color() for handle in _marks(figure.axes[0])] == [MUTED, ACCENT, SECOND]
    return figure.axes


def _marks(axes: Axes) -> list:  # type: ignore[type-arg]
    return [container.lines[0] for container in axes.containers]


def test_every_mark_stands_at_its_value_in_its_row(panels: list[Axes]):
    dice, hd95 = panels
    assert [axes.get_title(loc="left") for axes in panels] == ["Dice", "HD95"]
    assert [label.get_text() for label in dice.get_yticklabels()] == ["B", "A", "C"]
    low, high = dice.get_ylim()
    assert low > high, "the first case is on top"
    first, second, third = _marks(dice)
    assert first.get_xydata() == pytest.approx(np.array([[0.5, 0 - 0.2], [0.75, 1 - 0.2]]))
    assert second.get_xydata() == pytest.approx(np.array([[0.9, 1.0]]))
    assert len(third.get_xydata()) == 0
    assert _marks(hd95)[2].get_xydata() == pytest.approx(np.array([[12.0, 0 + 0.2]]))
    assert len({mark.get_marker() for mark in _marks(dice)}) == 3


def test_every_interval_reaches_from_its_lower_to_its_upper_bound(panels: list[Axes]):
    first, second, _ = (container.lines[2][0].get_segments() for container in panels[0].containers)
    assert first[0] == pytest.approx(np.array([[0.25, -0.2], [0.625, -0.2]]))
    assert first[1] == pytest.approx(np.array([[0.75, 0.8], [0.75, 0.8]]))  # a published value has none
    assert second[0] == pytest.approx(np.array([[0.85, 1.0], [0.95, 1.0]]))


def test_the_word_for_why_there_is_no_value_stands_in_the_row(panels: list[Axes]):
    dice, hd95 = panels
    assert [(t.get_text(), t.xy[1], to_hex(t.get_color())) for t in dice.texts] == [("timeout", 2.0, ACCENT)]  # type: ignore[attr-defined]
    ((text, y),) = [(t.get_text(), t.xy[1]) for t in hd95.texts]  # type: ignore[attr-defined]
    assert (text, y) == ("error", pytest.approx(1 - 0.2))


def test_the_axes_are_those_of_the_metrics(panels: list[Axes]):
    dice, hd95 = panels
    assert dice.get_xlim() == SHARE
    assert hd95.get_xlim()[0] == 0
    assert hd95.get_xlim()[1] > 15


@pytest.fixture
def source(conditions: Conditions, make_table: Table) -> Callable[..., Source]:
    """A run of one case, its samples without patients where these are unknown."""

    def make(known: bool = True, **changes: object) -> Source:
        table = make_table() if known else make_table(patients=[None] * 60)
        run = SeedRun(seed=1, fingerprint=None, samples=table)
        under = conditions.model_copy(update=changes)
        return Source("run_1", (CaseResult("A", "a", under, {"dice": 1}, (run,)),), None)

    return make


LINE = "run_1: 60 test samples (phantom), split slice-seed42, 32 px; scaling of the protocol: thesis, threshold 0.65"


def test_the_conditions_in_a_line(source: Callable[..., Source]):
    assert conditions_line(source()) == LINE
    stated = "; samples without patient id are treated as independent, as stated by the user"
    assert conditions_line(source(independent=True)) == LINE + stated
    assert conditions_line(source(known=False)).startswith(f"{LINE}; the patient of 60 of 60 samples is unknown")
    seen = "7 test samples are of patients who are also in training"
    for origin, words in (("table", "41 test patients (from btlib's table)"), ("files", "41 test patients")):
        facts = PatientFacts(source=origin, n_test=41, seen=7)
        assert conditions_line(source(patients=facts)) == f"{LINE}; {words}; {seen}"


def test_a_published_baseline_has_conditions_too(make_table: Table, baseline_of: Callable[..., Baseline]):
    published = baseline_of(make_table(), "A")
    assert conditions_line(Source("run_1", (), published)) == LINE


def test_a_published_value_is_the_gated_figure(make_table: Table, baseline_of: Callable[..., Baseline]):
    """Else the first of all samples together, never that of one tumour type."""

    def number(value: float, metric: str = "dice", **more: object) -> ReferenceValue:
        return ReferenceValue(metric=metric, value=value, aggregation="slice-mean", source="s", **more)  # type: ignore[arg-type]

    baseline = baseline_of(make_table(), "A")
    figures = [
        number(0.1, tumour_class="glioma"),
        number(0.2),
        number(0.3, margin=0.02),
        number(0.4, "accuracy", tumour_class="glioma"),
        number(0.5, "accuracy"),
        number(0.6, "accuracy"),
        number(0.7, "iou", tumour_class="glioma"),
    ]
    case = baseline.cases["A"].model_copy(update={"figures": figures, "runs": []})
    source = Source("b", (), baseline.model_copy(update={"kind": "published", "cases": {"A": case}}))
    found = column(source, ["dice", "accuracy", "iou"])
    assert (found.name, found.values) == ("b", {("A", "dice"): Value(0.3), ("A", "accuracy"): Value(0.5)})


def test_a_failed_case_has_a_word_for_its_own_metrics(conditions: Conditions, make_table: Table):
    """A failure counts even where numbers of some seeds are there."""
    table = make_table()
    run, other = (SeedRun(seed=k, fingerprint=None, samples=t) for k, t in enumerate((table, make_table(wrong=30))))
    lost = CaseResult("L", "l", conditions, {"dice": 1}, (run,), failure="timeout")
    two = CaseResult("T", "t", conditions, {"dice": 1}, (run, other))
    found = column(Source("run", (lost, two), None), ["dice", "accuracy", "macro_f1"]).values
    assert found["L", "dice"] == "timeout"
    assert ("L", "accuracy") not in found
    accuracy, macro = found["T", "accuracy"], found["T", "macro_f1"]
    assert isinstance(accuracy, Value)
    assert isinstance(macro, Value)
    assert accuracy.value == pytest.approx(0.75)
    assert accuracy.interval is not None
    assert accuracy.interval[0] < 0.75 < accuracy.interval[1]
    assert macro.value == pytest.approx((1 + _macro_f1(make_table(wrong=30))) / 2)
    assert macro.interval is not None
    assert macro.interval[0] < macro.value < macro.interval[1]


def _macro_f1(table: SampleTable) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(table.label, table.predicted(), average="macro"))
