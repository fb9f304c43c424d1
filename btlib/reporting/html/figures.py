"""Figures of the page, drawn from the entries that have the required values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.aggregate import by_class, by_size
from btlib.evaluation.catalogue import METRICS, Metrics
from btlib.evaluation.subgroup import SIZES
from btlib.gate import Verdict
from btlib.gate.ranking import Ranking
from btlib.metrics import confusion_matrix, ece
from btlib.metrics.calibration import confidence_bins
from btlib.reporting.axes import SHARE, value_limits
from btlib.reporting.html import charts, small_charts
from btlib.reporting.html.entries import Entry, anchor_of, known_to
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.style import colour
from btlib.reporting.names import visible
from btlib.reporting.pairing import pairing
from btlib.reporting.palette import ACCENT, MUTED
from btlib.reporting.significance import PairTest

INFERENCE = "inference, batch 16"


@dataclass(frozen=True)
class Drawn:
    """One figure.

    Attributes:
        section: Section of the page: "differences", "pairs", "samples", "groups", "confusion", "calibration",
            "threshold", "speed" or "learning".
        name: Unique name of its file, without suffix.
        title: Text alternative: what the figure shows.
        caption: Caption below the figure; may be empty.
        svg: SVG as written by matplotlib.
    """

    section: str
    name: str
    title: str
    caption: str
    svg: str


def figures(entries: Sequence[Entry], tests: Sequence[PairTest], problems: Problems) -> Iterator[Drawn]:
    """Draw all figures that the entries have values for; curves that cannot be read are added to `problems`."""
    yield from _differences(entries)
    yield from _pairs(tests, known_to(entries))
    yield from _distributions(entries)
    yield from _groups(entries)
    for entry in entries:
        yield from _of_case(entry)
        yield from _learning(entry, problems)
    yield from _speed(entries)


def _differences(entries: Sequence[Entry]) -> Iterator[Drawn]:
    known = known_to(entries)
    found = [(e, c) for e in entries for c in e.compared if c.difference is not None]
    for metric in dict.fromkeys(c.metric for _, c in found):
        ours = [(e, c) for e, c in found if c.metric == metric]
        title = f"Difference in {known[metric].title} from the baseline"
        sign = -known[metric].sign
        margins = [None if c.margin is None else sign * c.margin for _, c in ours]
        svg = charts.forest([_bar(e, c) for e, c in ours], margins, f"{known[metric].title}: measured − baseline")
        caption = f"Dotted line: tolerated loss. {pairing(c.method for _, c in ours)}"
        yield Drawn("differences", f"difference-{anchor_of(metric)}", title, caption, svg)


def _bar(entry: Entry, c: Verdict | Ranking) -> charts.Bar:
    value = c.difference or 0.0
    low, high = (value if bound is None else bound for bound in (c.low, c.high))
    label = charts.short(entry.label)
    if c.reference is not None:
        label = charts.both(entry.label, "vs.", visible(c.reference))
    return charts.Bar(label, value, low, high, colour(c.status))


def _pairs(tests: Sequence[PairTest], known: Metrics) -> Iterator[Drawn]:
    every = [test for test in tests if test.family == "all pairs"]
    for metric in dict.fromkeys(test.metric for test in every):
        ours = [test for test in every if test.metric == metric]
        bars = [_pair(test) for test in ours]
        title = f"Difference in {known[metric].title} of every pair of cases"
        svg = charts.forest(bars, [None] * len(bars), f"{known[metric].title}: first − second")
        yield Drawn("pairs", f"pairs-{anchor_of(metric)}", title, "Coloured: Holm-corrected p below 0.05.", svg)


def _pair(test: PairTest) -> charts.Bar:
    tint = ACCENT if test.different else MUTED
    return charts.Bar(charts.both(test.first, "−", test.second), test.difference, test.low, test.high, tint)


def _distributions(entries: Sequence[Entry]) -> Iterator[Drawn]:
    known = known_to(entries)
    for metric in dict.fromkeys(("dice", "hd95", "hd95_mm", *known.scores)):
        found = [(e.label, e.result.values(metric)) for e in entries if e.has(metric)]
        rows = [(label, finite) for label, values in found if len(finite := values[np.isfinite(values)])]
        if rows:
            unit = known[metric].unit
            axis = known[metric].title.removesuffix(f" in {unit}") + ("" if unit == "1" else f" [{unit}]")
            svg = charts.boxes(rows, axis, value_limits(metric, known))
            yield Drawn("samples", f"samples-{anchor_of(metric)}", f"{known[metric].title} of every sample", "", svg)
    rows = [(e.label, _truth_probability(e)) for e in entries if e.result.runs and e.result.samples.has_classes]
    if rows:
        svg = charts.boxes(rows, "probability of the true class", SHARE)
        yield Drawn("samples", "samples-probability", "Probability of the true class of every sample", "", svg)


def _truth_probability(entry: Entry) -> NDArray[np.float64]:
    table = entry.result.samples
    return table.class_prob[np.arange(table.n), table.labels]


def _groups(entries: Sequence[Entry]) -> Iterator[Drawn]:
    ours = [e for e in entries if e.result.runs and e.result.samples.has_mask]
    if not ours:
        return
    labels = [e.label for e in ours]
    table = ours[0].result.samples
    counts: Sequence[int] = np.bincount(table.labels, minlength=len(table.classes)).tolist() if table.classes else []
    every = tuple(
        dict.fromkeys(name for e in ours for name in e.result.samples.classes)
    )  # classes of all tasks of the runs
    classes = [by_class(e.result.values("dice"), e.result.samples) for e in ours]
    sizes = [by_size(e.result.values("dice"), e.result.samples) for e in ours]
    for name, groups, what, words in (
        ("class", every, classes, [f"{n} {name}" for name, n in zip(table.classes, counts, strict=True)]),
        ("size", SIZES, sizes, ["thirds of the samples by true area"]),
    ):
        if not groups:
            continue
        columns = [(g, [row.get(g) for row in what]) for g in groups]
        svg = charts.dots(labels, columns, "mean Dice", value_limits("dice"))
        caption = f"{', '.join(words)}; {table.n} samples."
        yield Drawn("groups", f"dice-by-{name}", f"Dice by {name}", caption, svg)


def _of_case(entry: Entry) -> Iterator[Drawn]:
    table = entry.result.samples if entry.result.runs else None
    if table is not None and table.has_classes:
        truth, prob = table.labels, table.class_prob
        counts = confusion_matrix(truth, table.predicted(), len(table.classes))
        svg = small_charts.confusion(counts, table.classes, entry.label)
        yield Drawn("confusion", f"confusion-{entry.safe}", f"Confusion matrix of {entry.label}", "", svg)
        svg = small_charts.calibration(confidence_bins(prob, truth), ece(prob, truth), entry.label)
        yield Drawn("calibration", f"calibration-{entry.safe}", f"Calibration of {entry.label}", "", svg)
    curves = [(r.threshold_curve.thresholds, r.threshold_curve.dice) for r in entry.records if r.threshold_curve]
    if curves:
        used = sorted({t for r in entry.records if r.threshold_curve and (t := r.threshold) is not None})
        svg = small_charts.thresholds(curves, used, entry.label)
        yield Drawn("threshold", f"threshold-{entry.safe}", f"Dice of {entry.label} by threshold", "", svg)


def _learning(entry: Entry, problems: Problems) -> Iterator[Drawn]:
    for record in entry.records:
        curves = problems.attempt(partial(entry.view.store.curves, record))
        if curves is not None:
            fold = "" if record.fold is None else f", {record.fold}"
            title = f"{entry.label}{fold}, seed {record.seed}"
            svg = small_charts.learning(curves, title)
            place = "" if record.fold is None else f"-{anchor_of(record.fold)}"
            name = f"learning-{entry.safe}{place}-seed{record.seed}"
            yield Drawn("learning", name, f"Learning curves of {title}", "", svg)


def _speed(entries: Sequence[Entry]) -> Iterator[Drawn]:
    known = METRICS
    for metric in ("dice", "accuracy"):
        points = [
            (e.label, e.row.speeds[INFERENCE].images_per_second, value)
            for e in entries
            if INFERENCE in e.row.speeds and (value := e.row.values[metric]) is not None
        ]
        if points:
            title = f"{known[metric].title} against throughput"
            svg = charts.scatter(points, f"images/s, {INFERENCE}", known[metric].title, value_limits(metric))
            yield Drawn("speed", f"speed-{metric}", title, "", svg)
