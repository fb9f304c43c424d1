"""Content of the page and texts about the complete report."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from markupsafe import Markup

from btlib.evaluation.catalogue import METRICS
from btlib.gate import Verdict
from btlib.gate.ranking import Ranking
from btlib.gate.verdict import HOLDS, WORST_FIRST, SubgroupDifference
from btlib.reporting.html.entries import Entry, Reference
from btlib.reporting.html.explained_cases import ExplainedCase
from btlib.reporting.html.figures import Drawn
from btlib.reporting.html.gallery import Gallery
from btlib.reporting.html.sections import Added
from btlib.reporting.html.style import inline
from btlib.reporting.html.views import View
from btlib.reporting.intervals import Mean
from btlib.reporting.significance import one_training_note
from btlib.reporting.subgroup_table import subgroup_rows
from btlib.reporting.verdicts import verdict_line


@dataclass(frozen=True)
class Card:
    """Verdicts with the same status and reason.

    Attributes:
        status: Status of these verdicts.
        reason: Reason of these verdicts; may be empty.
        lines: Label of the case and numbers of the verdict, one pair per verdict.
    """

    status: str
    reason: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Page:
    """Content of a page.

    Attributes:
        views: Runs of the page.
        entries: Cases of the runs.
        references: Cases of the baselines that new cases are compared with.
        means: Label and metric → mean with its interval.
        figures: Figures of the page.
        untested: Reason why pairs of cases were not tested; empty if they were.
        undrawn: Errors on learning curves that could not be drawn.
        explained_cases: Measures of the maps of each explained case.
        gallery: Gallery of samples.
        added: Sections of installed packages.
        not_added: Errors on sections that could not be added.
    """

    views: tuple[View, ...]
    entries: tuple[Entry, ...]
    references: tuple[Reference, ...]
    means: Mapping[tuple[str, str], Mean]
    figures: tuple[Drawn, ...]
    untested: str
    undrawn: tuple[str, ...]
    explained_cases: tuple[ExplainedCase, ...]
    gallery: Gallery
    added: tuple[Added, ...] = ()
    not_added: tuple[str, ...] = ()

    @cached_property
    def title(self) -> str:
        """Names of the runs, joined. A single run without a name is described by its tier, cases and date."""
        first = self.views[0]
        if len(self.views) > 1 or first.label != first.store.path.name:
            return " and ".join(v.label for v in self.views)
        cases = first.info.cases or [entry.row.case for entry in self.entries]
        shown = f"case {cases[0]}" if len(cases) == 1 else f"{len(cases)} cases"
        return f"{first.info.tier} run of {shown}, {first.info.started[:10]}"

    def drawn(self, section: str) -> list[tuple[Drawn, Markup]]:
        """Return the figures of a section, each with its SVG for the page."""
        found = [f for f in self.figures if f.section == section]
        return [(f, Markup(inline(f.svg, f.name, f.title))) for f in found]  # matplotlib has escaped all text

    @cached_property
    def cards(self) -> list[Card]:
        """Verdicts with their numbers, grouped by status and reason, worst first."""
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for entry, v in self.verdicts:
            found.setdefault((v.status, v.reason), []).append((entry.label, verdict_line(v)))
        order = sorted(found, key=lambda key: WORST_FIRST.index(key[0]))
        return [Card(status, reason, tuple(found[status, reason])) for status, reason in order]

    @cached_property
    def rankings(self) -> list[tuple[Entry, Ranking]]:
        """Comparisons of new cases with the baseline's cases."""
        return [(entry, one) for entry in self.entries for one in entry.rankings]

    @cached_property
    def verdicts(self) -> list[tuple[Entry, Verdict]]:
        """Cases and their verdicts."""
        return [(entry, v) for entry in self.entries for v in entry.row.verdicts]

    @cached_property
    def subgroups(self) -> list[tuple[Entry, SubgroupDifference]]:
        """Cases and their differences within subgroups, worst first."""
        return [(entry, one) for entry in self.entries for _, one in subgroup_rows(entry.row.verdicts)]

    @property
    def warnings(self) -> list[tuple[Entry, SubgroupDifference]]:
        """Cases and their subgroups that are warned of."""
        return [(entry, one) for entry, one in self.subgroups if one.warned]

    @property
    def one_training(self) -> str:
        """Note on the limits of the pair tests if a case has only one seed; empty without tests."""
        if self.untested:
            return ""
        return one_training_note([entry.result for entry in self.entries if entry.result.runs])

    @property
    def unread(self) -> tuple[str, ...]:
        """Errors on numbers that could not be read."""
        return tuple(problem for v in self.views for problem in v.unread)

    @property
    def problems(self) -> tuple[str, ...]:
        """All errors on content that could not be shown."""
        return (*self.unread, *self.undrawn, *self.gallery.problems, *self.not_added)

    @property
    def holds(self) -> bool:
        """Whether every case was read and judged, none failed or is inconclusive, and no subgroup is warned of."""
        complete = not self.unread and not any(v.comparison.missing for v in self.views) and not self.warnings
        return complete and bool(self.entries) and all(entry.row.status in HOLDS for entry in self.entries)

    @property
    def all_well(self) -> str:
        """Text for a page on which `holds` is true."""
        if all(entry.row.status == "measured" for entry in self.entries):
            return "Every case was measured. No case was compared with a baseline."
        return "Every case that was compared with a baseline passed the comparison."

    @cached_property
    def counts(self) -> list[tuple[str, int]]:
        """Status and number of cases with it, worst first."""
        found = Counter(entry.row.status for entry in self.entries)
        return sorted(found.items(), key=lambda pair: WORST_FIRST.index(pair[0]))

    @cached_property
    def best(self) -> list[tuple[str, str, str]]:
        """Best values of the main metrics and highest throughput: description, value, cases."""
        found = []
        for metric in ("dice_volume", "dice", "accuracy"):
            known = [
                (v, e.label)
                for e in self.entries
                if e.result.conditions.task.has_images and (v := e.row.values.get(metric)) is not None
            ]
            if known:
                value = max(v for v, _ in known)
                whose = [label for v, label in known if v == value]
                found.append((f"highest {METRICS[metric].title}", f"{value:.4f}", _names(whose)))
        fast = [
            (throughput.images_per_second, e.label, name)
            for e in self.entries
            for name, throughput in e.row.speeds.items()
            if name.startswith("inference")
        ]
        if fast:
            value, label, name = max(fast)
            found.append(("highest images/s", f"{value:,.0f}", f"{label}, {name}"))
        return found


def _names(labels: list[str], most: int = 4) -> str:
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")
