"""Sections that installed packages add at the end of a run's page."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup

from btlib import hooks
from btlib.errors import foreign_faults
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.style import inline
from btlib.reporting.html.views import View
from btlib.reporting.names import printable
from btlib.reporting.section import Section


@dataclass(frozen=True)
class Added:
    """Added section, ready for the page.

    Attributes:
        name: Anchor of the section.
        package: Name of the package that added it.
        title: Title as plain text.
        paragraphs: Paragraphs as plain text.
        svg: Figure as SVG; "" for no figure.
    """

    name: str
    package: str
    title: str
    paragraphs: tuple[str, ...]
    svg: Markup


def added(view: View, problems: Problems) -> tuple[Added, ...]:
    """Return the sections of all packages; errors are added to `problems`."""
    found: list[Added] = []
    for package, call in hooks.each("btlib_report_sections", store=view.store, judgement=view.judgement):
        try:
            ours = [section for sections in call() for section in sections]
            found += [_ready(section, package, f"added-{len(found) + k}") for k, section in enumerate(ours, 1)]
        except foreign_faults() as fault:  # third-party code: the page is made without its sections
            problems.add(f"sections of {package} are left out: {type(fault).__name__}: {fault}")
    return tuple(found)


def _ready(section: Section, package: str, name: str) -> Added:
    if not isinstance(section, Section):
        raise TypeError(f"expected a Section, got {type(section).__name__}")
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", section.text)]
    return Added(name, package, section.title, tuple(filter(None, paragraphs)), _figure(section, name))


def _figure(section: Section, name: str) -> Markup:
    """Return the figure for the page; incomplete SVG is refused because it would break the rest of the page."""
    if not section.svg:
        return Markup("")
    root = ElementTree.fromstring(section.svg).tag.rpartition("}")[2]
    if root != "svg" or "</svg>" not in section.svg:
        raise ValueError(f"the figure of {section.title!r} is not an SVG image with content")
    return Markup(inline(section.svg, name, printable(section.title)))
