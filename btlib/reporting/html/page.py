"""The page itself: from what was gathered to HTML. Text of others is escaped by the templates, never by hand."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any

from markupsafe import Markup

from btlib.baselines import Verdict
from btlib.baselines.verdict import HOLDS, WORST_FIRST
from btlib.evaluation.catalogue import METRICS
from btlib.reporting.html.entries import Entry, View
from btlib.reporting.html.facts import facts, odd_environments, origins
from btlib.reporting.html.figures import Drawn
from btlib.reporting.html.gallery import KINDS, Gallery
from btlib.reporting.html.rows import lines
from btlib.reporting.html.style import inline, tone
from btlib.reporting.intervals import Mean
from btlib.reporting.numbers import interval, number
from btlib.reporting.speed import noise_line


@dataclass(frozen=True, eq=False)
class Page:
    """What a page is made of.

    Attributes:
        views: The runs.
        entries: Their cases.
        means: Label and metric → mean with its interval.
        figures: Drawn.
        untested: Why pairs of cases were not tested; empty where they were.
        gallery: Slices to look at.
    """

    views: tuple[View, ...]
    entries: tuple[Entry, ...]
    means: Mapping[tuple[str, str], Mean]
    figures: tuple[Drawn, ...]
    untested: str
    gallery: Gallery

    @cached_property
    def title(self) -> str:
        """Names of the runs."""
        return " and ".join(v.label for v in self.views)

    def drawn(self, section: str) -> list[tuple[Drawn, Markup]]:
        """Figures of a section, each with its SVG for the page."""
        found = [f for f in self.figures if f.section == section]
        return [(f, Markup(inline(f.svg, f.name, f.title))) for f in found]  # matplotlib has escaped what it wrote

    @cached_property
    def reasons(self) -> list[tuple[str, str, list[str]]]:
        """Status, reason and whose it is: each reason once, the worst first; what merely passes needs none."""
        held: dict[tuple[str, str], list[str]] = {}
        for entry, v in self.verdicts:
            reason = v.reason or ("" if v.status == "pass" else _in_numbers(v))
            if reason:
                held.setdefault((v.status, reason), []).append(f"{entry.label} {METRICS[v.metric].title}")
        order = sorted(held, key=lambda key: WORST_FIRST.index(key[0]))
        return [(status, reason, held[status, reason]) for status, reason in order]

    @cached_property
    def verdicts(self) -> list[tuple[Entry, Verdict]]:
        """All verdicts with their cases."""
        return [(entry, v) for entry in self.entries for v in entry.row.verdicts]

    @property
    def holds(self) -> bool:
        """Whether every case was judged, and none fell short."""
        return bool(self.entries) and all(entry.row.status in HOLDS for entry in self.entries)

    @cached_property
    def counts(self) -> list[tuple[str, int]]:
        """Status and how many cases have it, the worst first."""
        found = Counter(entry.row.status for entry in self.entries)
        return sorted(found.items(), key=lambda pair: WORST_FIRST.index(pair[0]))

    @cached_property
    def best(self) -> list[tuple[str, str, str]]:
        """The best value of the main metrics and the greatest throughput: what, value, whose."""
        found = []
        for metric in ("dice", "accuracy"):
            known = [(v, e.label) for e in self.entries if (v := e.row.values[metric]) is not None]
            if known:
                value = max(v for v, _ in known)
                whose = [label for v, label in known if v == value]
                found.append((f"highest {METRICS[metric].title}", f"{value:.4f}", _names(whose)))
        fast = [
            (pace.images_per_second, e.label, name)
            for e in self.entries
            for name, pace in e.row.speeds.items()
            if name.startswith("inference")
        ]
        if fast:
            value, label, name = max(fast)
            found.append(("most images/s", f"{value:,.0f}", f"{label}, {name}"))
        return found


def _in_numbers(v: Verdict) -> str:
    """A verdict in a sentence, where the gate gave no reason beside its numbers."""
    if v.difference is None:
        return "no numbers"
    said = f"{number(v.measured, '.4f')} after {number(v.baseline, '.4f')}: {v.difference:+.4f}"
    return f"{said}, 95 % interval {interval(v.low, v.high)}; a loss of {number(v.margin, 'g')} is tolerated"


def _names(labels: list[str], most: int = 4) -> str:
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")


def render(page: Page) -> str:
    """The page as HTML, complete in itself."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("btlib.reporting.html", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"tone": tone, "number": number}
    columns, rows = lines(page.entries, page.means)
    return (
        environment.get_template("page.html.j2").render(
            page=page,
            columns=columns,
            lines=rows,
            interval=interval,
            metrics=METRICS,
            kinds=KINDS,
            runs=[_run(page, v) for v in page.views],
            origins=origins(page.entries),
            style=Markup(_asset("report.css")),
            script=Markup(_asset("report.js")),
        )
        + "\n"
    )


def _run(page: Page, v: View) -> dict[str, Any]:
    ours = [entry for entry in page.entries if entry.view is v]
    noise = v.folder.noise()
    return {
        "view": v,
        "phantom": v.info.origin == "phantom",
        "missing": v.comparison.missing,
        "facts": facts(v, ours),
        "odd": odd_environments(ours),
        "noise": noise_line(noise),
    }


def _asset(name: str) -> str:
    return resources.files("btlib.reporting.html").joinpath("templates", name).read_text(encoding="utf-8")
