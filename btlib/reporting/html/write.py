"""Writing of a run's page and of the files that belong to it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from btlib import files
from btlib.errors import BtlibError
from btlib.reporting.html import exports
from btlib.reporting.html.entries import Entry, entries, known_to, references
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

_MOST = 14_500_000  # largest page in bytes, so that it can be sent by e-mail; the gallery uses the remaining space


def write_report(folder: Path, baselines: Path | None = None, title: str | None = None) -> Path:
    """Write `index.html`, `report.json`, `per_sample.csv`, `summary.md` and `figures/` into a run's folder.

    Args:
        folder: Folder of the run.
        baselines: Folder in which the baseline is looked up by name if its recorded path no longer exists.
        title: Name of the run on the page; None for the run's name or its folder's name.

    Returns:
        Path of the page.

    Raises:
        RecordError: The folder is not a run, or its run information cannot be read; the page reports other errors.
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
    """Write one page that shows several runs side by side; no other file is written.

    Args:
        folders: Folders of the runs; samples of later runs are compared with those of the first run.
        target: File of the page.
        baselines: Folder in which baselines are looked up by name, as in `write_report`.
        titles: Names of the runs on the page; empty for the runs' own names.

    Raises:
        RecordError: A folder is not a run, or its run information cannot be read.
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
    shown = [column.metric for column in metric_columns((entry.row for entry in found), known_to(found))]
    notes: list[tuple[str, str]] = []
    means = mean_intervals([entry.result for entry in found], shown, notes)
    own = [tuple(note for case, note in notes if case == entry.result.case) for entry in found]
    found = [
        replace(entry, row=replace(entry.row, notes=entry.row.notes + more))
        for entry, more in zip(found, own, strict=True)
    ]
    from_baselines = tuple(references(views))
    page = Page(
        tuple(views),
        tuple(found),
        from_baselines,
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
    """Test every pair of cases, or, with several runs, each case between runs; else return the reason why not."""
    measured = [entry for entry in found if entry.result.runs and entry.result.failure is None]
    if len(measured) < 2:
        return (), "fewer than two cases have values"
    try:
        tests = pair_tests([entry.result for entry in measured])
    except BtlibError as error:
        return (), str(error)
    case = {entry.label: entry.row.case for entry in found}
    if len({id(entry.view) for entry in found}) > 1:
        tests = tuple(test for test in tests if case[test.first] == case[test.second])
    return tests, "" if tests else "no two cases share a metric"
