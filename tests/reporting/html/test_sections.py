"""Sections that installed packages add at the end of the page of a run."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from btlib import hooks
from btlib.gate.judgement import Judgement
from btlib.hooks import hookimpl
from btlib.reporting.html import style, write_page, write_report
from btlib.reporting.palette import ACCENT
from btlib.reporting.section import Section
from btlib.runs import RunStore

from .conftest import SCRIPT
from .reader import Reader

pytestmark = pytest.mark.usefixtures("undrawn")

Add = Callable[[str, Callable[[RunStore, Judgement], Any]], None]
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 9"><path id="p" fill="{ACCENT}"/><use href="#p"/></svg>'


@pytest.fixture
def add() -> Iterator[Add]:
    """Installs a package of a name for the time of a test."""
    plugins: list[object] = []

    def install(name: str, sections: Callable[[RunStore, Judgement], Any]) -> None:
        class Package:
            @hookimpl
            def btlib_report_sections(self, store: RunStore, judgement: Judgement) -> Sequence[Section]:
                return sections(store, judgement)

        plugins.append(Package())
        hooks.manager().register(plugins[-1], name)

    yield install
    for plugin in plugins:
        hooks.manager().unregister(plugin)


@pytest.fixture(scope="module")
def small(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("small") / "run", n=12, names=("B",), baseline="none")


@pytest.fixture
def folder(small: Path, tmp_path: Path) -> Path:
    return shutil.copytree(small, tmp_path / "run")


def page_of(folder: Path) -> tuple[Reader, str]:
    html = write_report(folder).read_text()
    return Reader(html), html


def problems(folder: Path) -> list[str]:
    return json.loads((folder / "report.json").read_text())["problems"]


def test_a_section_stands_at_the_end(folder: Path, add: Add):
    add("one", lambda store, judgement: [Section("Title", "First.\n\n\n  Second,\nstill.\n \nThird.")])
    page, html = page_of(folder)
    assert list(page.text)[-1] == "added-1"
    assert html.index('id="origin"') < html.index('id="added-1"') < html.index("</main>")
    for part in ("<h2>Title</h2>", "<p>First.</p>", "<p>Second,\nstill.</p>", "<p>Third.</p>", "Added by one."):
        assert html.count(part) == 1, part
    assert problems(folder) == []


def test_without_packages_nothing_is_added(folder: Path):
    page, _ = page_of(folder)
    assert [name for name in page.text if "added" in name] == []


def test_text_of_others_is_escaped(folder: Path, add: Add):
    add(f"p{SCRIPT}", lambda store, judgement: [Section(f"t{SCRIPT}\x1b[31m", f"b{SCRIPT}\x00", SVG)])
    page, html = page_of(folder)
    assert SCRIPT not in html
    assert "\x1b" not in html
    assert "\x00" not in html
    for part in (f"t{SCRIPT}", f"b{SCRIPT}", f"Added by p{SCRIPT}."):
        assert part in page.text["added-1"]
    (label,) = (a["aria-label"] for tag, a in page.tags if tag == "svg" and a.get("viewbox") == "0 0 7 9")
    assert label is not None
    assert SCRIPT in label


def test_a_figure_takes_the_colours_of_the_page_and_ids_of_its_own(folder: Path, add: Add):
    """Two figures may have the same ids."""
    add("one", lambda store, judgement: [Section("A", svg=SVG), Section("B", svg=f'<?xml version="1.0"?>\n{SVG}')])
    page, html = page_of(folder)
    for k, title in enumerate("AB", 1):
        figure = style.inline(SVG, f"added-{k}", title)
        assert f"<figure>{figure}</figure>" in html
        assert f'<path id="added-{k}-p" fill="var(--accent)"/><use href="#added-{k}-p"/>' in figure
    assert "<?xml" not in html
    assert [a["id"] for tag, a in page.tags if tag == "path" and "id" in a] == ["added-1-p", "added-2-p"]


def test_it_knows_the_run_and_its_judgement(folder: Path, add: Add):
    asked: list[tuple[RunStore, Judgement]] = []
    add("one", lambda store, judgement: asked.append((store, judgement)) or [])
    page_of(folder)
    ((store, judgement),) = asked
    assert store == RunStore(folder)
    assert [(v.case, v.metric, v.status) for v in judgement.verdicts] == [("B", "accuracy", "measured")]


def crash(store: RunStore, judgement: Judgement) -> Any:
    raise ZeroDivisionError(f"out of luck {SCRIPT}")


def leave(store: RunStore, judgement: Judgement) -> Any:
    raise SystemExit(3)


WRONG: dict[str, tuple[Callable[[RunStore, Judgement], Any], str]] = {
    "raises": (crash, f"ZeroDivisionError: out of luck {SCRIPT}"),
    "exits": (leave, "SystemExit: 3"),
    "gives no section": (lambda store, judgement: [Section("lost"), "text"], "TypeError: expected a Section, got str"),
    "gives no list": (lambda store, judgement: 7, "TypeError"),
    "gives text that is none": (lambda store, judgement: [Section("lost", text=7)], "TypeError"),  # type: ignore[arg-type]
    "gives a figure that is cut off": (lambda store, judgement: [Section("lost", svg=SVG[:-6])], "ParseError"),
    "gives a figure of HTML": (lambda store, judgement: [Section("lost", svg="<p>no</p>")], "ValueError"),
    "gives a figure of nothing": (lambda store, judgement: [Section("lost", svg="<svg/>")], "ValueError"),
    "gives a figure that is no text": (lambda store, judgement: [Section("lost", svg="a < b")], "ParseError"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_package_that_fails_is_named_and_costs_nothing_else(folder: Path, add: Add, wrong: str):
    """Whether it is asked first or last."""
    _, before = page_of(folder)
    said, told = WRONG[wrong]
    add("before", lambda store, judgement: [Section("Before")])
    add("broken", said)
    add("after", lambda store, judgement: [Section("After", svg=SVG)])
    page, html = page_of(folder)
    assert html.rstrip().endswith("</html>")
    assert {"Before", "After"} <= {text.split()[0] for name, text in page.text.items() if name.startswith("added")}
    assert "lost" not in "".join(text for name, text in page.text.items() if name.startswith("added"))
    (problem,) = problems(folder)
    assert problem.startswith("sections of broken are left out: ")
    assert told in problem
    assert problem in page.text["not-added"]
    others = re.sub(r'<section id="(added-\d+|not-added)">.*?</section>\n', "", html, flags=re.DOTALL)
    assert others.split() == before.split()


def test_a_run_that_is_not_whole_has_its_sections(folder: Path, add: Add):
    """Of what can be read."""
    (path,) = RunStore(folder).record_paths()
    path.write_text("{")
    add("one", lambda store, judgement: [Section("Title", f"{len(judgement.cases)} cases")])
    page, _ = page_of(folder)
    assert "0 cases" in page.text["added-1"]
    assert str(path) in page.text["verdicts"]


def test_a_page_of_several_runs_has_none(folder: Path, small: Path, tmp_path: Path, add: Add):
    add("one", lambda store, judgement: [Section("Title")])
    page = Reader(write_page([small, folder], tmp_path / "both.html").read_text())
    assert [name for name in page.text if "added" in name] == []


def test_implementations_are_called_in_the_order_of_pluggy(add: Add):
    """Each alone."""
    called: list[str] = []
    for name in ("one", "two", "three"):
        add(name, lambda store, judgement, name=name: called.append(name) or [])
    arguments: dict[str, Any] = {"store": None, "judgement": None}
    hooks.call().btlib_report_sections(**arguments)
    expected, called[:] = list(called), []
    for name, call in hooks.each("btlib_report_sections", **arguments):
        call()
        assert called[-1] == name
    assert called == expected
    assert len(called) == 3
