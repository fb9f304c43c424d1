"""Rendering of the page as HTML. The templates escape all text automatically."""

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from btlib.reporting.html.chosen import KINDS
from btlib.reporting.html.entries import known_to
from btlib.reporting.html.facts import facts, odd_environments, origins
from btlib.reporting.html.page import Page
from btlib.reporting.html.rows import lines
from btlib.reporting.html.style import tone
from btlib.reporting.html.tiles import Tile
from btlib.reporting.html.views import View
from btlib.reporting.names import printable, visible
from btlib.reporting.numbers import interval, number, p_value
from btlib.reporting.ranking_table import NOTE, rank_of
from btlib.reporting.speed import noise_line
from btlib.reporting.subgroup_table import NOTE as SUBGROUP_NOTE
from btlib.reporting.verdicts import GATE_NOTE

if TYPE_CHECKING:
    from jinja2 import Environment


def render(page: Page) -> str:
    """Return the page as self-contained HTML."""
    columns, rows = lines(page.entries, page.references, page.means)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            columns=columns,
            lines=rows,
            interval=interval,
            p_value=p_value,
            rank_of=rank_of,
            ranking_note=NOTE,
            subgroup_note=SUBGROUP_NOTE,
            gate_note=GATE_NOTE,
            metrics=known_to(page.entries),
            kinds=KINDS,
            runs=[_run(page, v) for v in page.views],
            origins=origins(page.entries),
            style=Markup(asset("report.css")),
            script=Markup(asset("report.js")),
        )
        + "\n"
    )


def weigh(tile: Tile) -> int:
    """Return the number of bytes of a tile in the page, without its image."""
    return len(environment().get_template("tile.html.j2").render(tile=tile, kinds=KINDS).encode())


@cache
def environment() -> "Environment":
    """Return the templates; they escape all text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("btlib.reporting.html", "templates")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters |= {"tone": tone, "number": number, "visible": visible}
    return environment


def _printable(value: Any) -> Any:
    """Return the output of a template without characters that a page cannot show."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _run(page: Page, v: View) -> dict[str, Any]:
    ours = [entry for entry in page.entries if entry.view is v]
    return {
        "view": v,
        "phantom": v.info.task.synthetic,
        "facts": facts(v, ours),
        "odd": odd_environments(ours),
        "noise": noise_line(v.noise),
    }


def asset(name: str) -> str:
    """Return the text of a style sheet or script."""
    return resources.files("btlib.reporting.html").joinpath("templates", name).read_text(encoding="utf-8")
