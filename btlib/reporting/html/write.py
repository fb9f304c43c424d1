"""From the folder of a run to its page and the files beside it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from btlib import files
from btlib.errors import BtlibError
from btlib.reporting.html import exports
from btlib.reporting.html.entries import Entry, entries, references
from btlib.reporting.html.explained_cases import explained_cases
from btlib.reporting.html.figures import figures
from btlib.reporting.html.gallery import Gallery, gallery
from btlib.reporting.html.page import Page
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.render import render, weigh
from btlib.reporting.html.sections import added
from btlib.reporting.html.views import View, view
from btlib.reporting.intervals import mean_intervals
from btlib.reporting.metric_columns import metric_columns
from btlib.reporting.names import numbered, visible
from btlib.reporting.significance import PairTest, pair_tests
from btlib.reporting.summary import summary

_MOST = 14_500_000  # bytes of a page, so that it can go by mail: the gallery takes what the rest leaves


def write_report(folder: Path, baselines: Path | None = None, title: str | None = None) -> Path:
    """Write `index.html`, `report.json`, `per_sample.csv`, `summary.md` and `figures/` into a run's folder.

    Args:
        folder: Of the run.
        baselines: Where its baseline is looked up by name, should it no longer lie where it lay.
        title: What the page calls the run; None for the folder's name.

    Returns:
        The page.

    Raises:
        RecordError: It is no run, or does not say what it ran; what else cannot be read, the page names.
    """
    page = _page([folder], baselines, [title])
    files.write_text(folder / "index.html", render(page))
    exports.write_figures(page.figures, folder / "figures")
    exports.write_numbers(page, folder / "report.json")
    exports.write_per_sample(page.entries, folder / "per_sample.csv")
    case = {entry.label: entry.row.case for entry in page.entries}
    means = {(case[label], metric): mean for (label, metric), mean in page.means.items()}
    files.write_text(folder / "summary.md", summary(page.views[0].comparison, means, page.unread))
    return folder / "index.html"


def write_page(
    folders: Sequence[Path], target: Path, baselines: Path | None = None, titles: Sequence[str] = ()
) -> Path:
    """Write one page that shows several runs side by side, and no other file.

    Args:
        folders: Of the runs; the later ones' samples are held against the first one's.
        target: The page.
        baselines: As in `write_report`.
        titles: What the page calls each run; none for the folders' names.

    Raises:
        RecordError: As in `write_report`.
    """
    files.write_text(target, render(_page(folders, baselines, titles or [None] * len(folders))))
    return target


def _views(folders: Sequence[Path], baselines: Path | None, titles: Sequence[str | None]) -> list[View]:
    views = [view(folder, baselines) for folder in folders]
    names = [v.label if title is None else title for v, title in zip(views, titles, strict=True)]
    labels = numbered(list(map(visible, names)))
    return [replace(v, label=label) for v, label in zip(views, labels, strict=True)]


def _page(folders: Sequence[Path], baselines: Path | None, titles: Sequence[str | None]) -> Page:
    views = _views(folders, baselines, titles)
    found = entries(views)
    tests, untested = _tests(found)
    curves = Problems()
    drawn = tuple(figures(found, tests, curves))
    shown = [column.metric for column in metric_columns(entry.row for entry in found)]
    means = mean_intervals([entry.result for entry in found], shown)
    beside = tuple(references(views))
    page = Page(
        tuple(views),
        tuple(found),
        beside,
        means,
        drawn,
        untested,
        curves.said,
        tuple(explained_cases(found)),
        Gallery(),
    )
    if len(views) == 1:
        problems = Problems()
        page = replace(page, added=added(views[0], problems), not_added=problems.said)
    room = _MOST - len(render(page).encode())
    return replace(page, gallery=gallery(found, room, weigh))


def _tests(found: Sequence[Entry]) -> tuple[Sequence[PairTest], str]:
    """Every pair of cases; of several runs, a case against itself in the first. Or why there are none."""
    measured = [entry for entry in found if entry.result.runs and entry.result.failure is None]
    if len(measured) < 2:
        return (), "there is nothing to compare: fewer than two cases have numbers"
    try:
        tests = pair_tests([entry.result for entry in measured])
    except BtlibError as error:
        return (), str(error)
    case = {entry.label: entry.row.case for entry in found}
    if len({id(entry.view) for entry in found}) > 1:
        tests = tuple(test for test in tests if case[test.first] == case[test.second])
    return tests, "" if tests else "no two cases share a metric"
