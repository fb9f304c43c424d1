"""Cases and runs of any name: every output is written, can be read, and says which case is which."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser
from typer.testing import CliRunner

from btlib.api.closing import close
from btlib.cli import app
from btlib.csv_text import inert
from btlib.gate.loading import load_baseline
from btlib.reporting import table
from btlib.reporting.html import write_page, write_report
from btlib.reporting.names import visible
from btlib.runs import RunStore

from ..judged import judged
from .conftest import ODD
from .reader import Reader, unreadable

pytestmark = pytest.mark.nightly

NAMES = pytest.mark.parametrize("name", ODD.values(), ids=ODD)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page(odd: Path) -> Reader:
    return Reader((odd / "index.html").read_text())


@pytest.fixture(scope="module")
def beside(odd: Path) -> Reader:
    """The page of a new case, of which every odd name is a reference."""
    return Reader((odd.parent / "new" / "index.html").read_text())


@pytest.fixture(scope="module")
def titled(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of runs that are called by every odd name."""
    home = tmp_path_factory.mktemp("titled")
    run = make_run(home / "run", n=12, names=("A",))
    return write_page([run] * len(ODD), home / "all.html", titles=list(ODD.values())).read_text()


def test_no_two_names_look_the_same():
    assert len({visible(name) for name in ODD.values()}) == len(ODD)


@NAMES
def test_the_page_shows_it_as_text(page: Reader, name: str):
    rows = {a["data-label"]: a for tag, a in page.tags if tag == "tr" and "data-label" in a}
    assert visible(name) in rows
    assert page.row("cases", f"{visible(name)} title of")
    assert f"Confusion matrix of {visible(name)}" in {a.get("aria-label") for _, a in page.tags}
    assert visible(name) in {a.get("value") for tag, a in page.tags if tag == "option"}  # its samples can be chosen
    assert visible(name) in {a["data-case"] for tag, a in page.tags if tag == "li" and "data-case" in a}


@NAMES
def test_it_is_a_reference(beside: Reader, odd: Path, name: str):
    assert beside.row("cases", f"{visible(name)} title of", "reference")
    rows = [row for row in beside.tables["rankings"][1:] if row[1].startswith(f"{visible(name)} ")]
    assert [row[2] for row in rows] == ["Dice", "accuracy"]
    text = (odd.parent / "new" / "comparison.md").read_text()
    assert [cells[1] for cells in tables(text)[2] if cells[1] == visible(name)] == [visible(name)] * 2


@NAMES
def test_it_is_the_title_of_a_run(titled: str, name: str):
    page = Reader(titled)
    assert f"A · {visible(name)}" in {a["data-label"] for tag, a in page.tags if tag == "tr" and "data-label" in a}
    for section in ("verdicts", "origin"):
        assert visible(name) in page.text[section]


def test_nothing_of_a_name_is_markup(odd: Path, titled: str):
    for html in (titled, *(path.read_text() for path in odd.parent.glob("*/index.html"))):
        page = Reader(html)
        assert {tag for tag, _ in page.tags} <= KNOWN_TAGS
        assert sum(tag == "script" for tag, _ in page.tags) == 1
        assert unreadable(html) == set()
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids))


KNOWN_TAGS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "nav", "main", "section", "footer", "script"),
    *("a", "p", "div", "span", "h1", "h2", "h3", "h4", "small", "strong", "b", "bdi", "code", "pre", "ul", "li"),
    *("table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "details", "summary", "figure", "figcaption"),
    *("button", "label", "input", "select", "option", "meter", "dialog", "form"),
    *("svg", "g", "path", "defs", "use", "text", "clippath", "rect", "symbol", "image"),
}


def test_every_figure_can_be_read_and_names_its_case(odd: Path):
    drawn = sorted(odd.glob("figures/*.svg"))
    assert len(drawn) == len(json.loads((odd / "report.json").read_text())["figures"])
    assert len([path for path in drawn if path.name.startswith("confusion-")]) == len(ODD)
    texts = {path: words(path) for path in [*drawn, odd / "significance.svg"]}
    for name in ODD.values():
        start = visible(name)[:10]
        for title in ("confusion", "calibration", "threshold"):
            found = [
                p for p, said in texts.items() if p.name.startswith(title) and any(s.startswith(start) for s in said)
            ]
            assert found, (name, title)
        assert any(said.startswith(start) for said in texts[odd / "significance.svg"])
    assert max(len(said) for found in texts.values() for said in found) < 80


def words(svg: Path) -> set[str]:
    return {"".join(node.itertext()).strip() for node in ElementTree.parse(svg).iter(f"{SVG}text")}


def test_the_page_shows_figures_as_they_were_drawn(odd: Path):
    """Colours, ids and fonts are changed in tags, never in a name that looks like one."""
    html = (odd / "index.html").read_text()
    assert re.search(r">#1c2127 url\([^<]*y; --&gt; \]\]&gt;</text>", html)


def tables(markdown: str) -> list[list[list[str]]]:
    """Tables of a Markdown file: text of each cell by row."""
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        assert token.type != "html_block"
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert not kinds & {"html_inline", "link_open"}
            if token.level == 4:  # in a cell
                assert kinds <= {"text", "text_special"}
                found[-1][-1].append("".join(child.content for child in token.children or ()))
    return found


@pytest.mark.parametrize("file", ["comparison.md", "significance.md", "summary.md", "speed.md"])
def test_markdown_has_every_name_as_text(odd: Path, file: str):
    text = (odd / file).read_text()
    assert unreadable(text) == set()
    found = tables(text)
    for rows in found:
        assert {len(row) for row in rows} == {len(rows[0])}
    if file == "comparison.md":
        cases = [row[0] for row in found[0][1:]]
        assert sorted(cases) == sorted(f"{visible(n)} {visible(f'title of {n}')}" for n in ("A", *ODD.values()))
        assert {row[0] for row in found[1][1:]} == {"A", *map(visible, ODD.values())}
    elif file == "significance.md":
        names = {visible(name) for name in ODD.values()}
        pairs = {row[0] for row in found[-1][1:]}
        assert {f"{a} − {b}" for a in names for b in names} & pairs
        assert len(pairs) == (len(names) + 1) * len(names) // 2
    elif file == "summary.md":
        assert all(len(row[0]) <= 161 for row in found[0])
        assert all("…" in row[2] for row in found[0][1:]), "with its interval"


def test_programs_get_names_as_they_are(odd: Path):
    """But for an apostrophe in CSV before one that a spreadsheet would compute."""
    known = {"A", *ODD.values()}
    inertly = set(map(inert, known))
    assert inertly - known == {"'--help"}
    for file in ("comparison.csv", "per_sample.csv"):
        with (odd / file).open(newline="", encoding="utf-8") as lines:
            assert {row["case"] for row in csv.DictReader(lines)} == inertly, file
        assert set(pd.read_csv(odd / file, keep_default_na=False)["case"]) == inertly, file
    for file in ("comparison.json", "report.json"):
        assert {case["case"] for case in json.loads((odd / file).read_text())["cases"]} == known, file
    tests = json.loads((odd / "significance.json").read_text())["tests"]
    assert {test["first"] for test in tests} | {test["second"] for test in tests} == known


def test_the_terminal_has_a_line_for_each(odd: Path):
    run = RunStore(odd)
    text = table(judged(run.info(), run.records(), run.speeds(), load_baseline(odd / "none.json")))
    assert unreadable(text) == set()
    lines = text.splitlines()
    rows = lines[1 + next(i for i, line in enumerate(lines) if set(line) == {"-", " "}) :]
    assert sorted(line[:5] for line in rows) == sorted(f"{visible(name)} title"[:5] for name in ("A", *ODD.values()))
    assert max(map(len, lines)) < 220


@pytest.mark.parametrize("command", [["compare"], ["show", "--pairs"], ["show", "--markdown"]], ids=" ".join)
def test_commands_print_them(odd: Path, tmp_path: Path, command: list[str]):
    verb, *options = command
    picture = ["--figure", str(tmp_path / "x.svg")] if verb == "show" else []
    result = CliRunner().invoke(app, [verb, str(odd), str(odd.parent / "odd.json"), *options, *picture])
    assert result.exit_code == 0, result.output
    assert unreadable(result.stdout) == set()
    printed = " ".join(row[0] for row in tables(result.stdout)[0]) if "--markdown" in options else result.stdout
    drawn = "\n".join(words(tmp_path / "x.svg")) if picture else printed
    assert [name for name in ODD.values() if visible(name)[:10] not in printed or visible(name)[:10] not in drawn] == []


@pytest.mark.nightly
@NAMES
def test_a_source_may_be_called_so(odd: Path, tmp_path: Path, name: str):
    new = str(odd.parent / "new")
    result = CliRunner().invoke(app, ["show", new, "--name", name, "--figure", str(tmp_path / "x.svg")])
    assert result.exit_code == 0, result.output
    assert visible(name)[:20] in result.stdout
    assert any(said.startswith(visible(name)[:10]) for said in words(tmp_path / "x.svg"))


LONG = {"letters": "x" * 300, "Chinese": "脑" * 300, "emoji": "🧠" * 300, "words": "ab " * 100 + "end"}


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
def test_a_case_of_a_very_long_name(make_run: Callable[..., Path], tmp_path: Path, name: str):
    path = make_run(tmp_path / "run", n=12, names=("A", name))
    close(path)
    page = Reader((path / "index.html").read_text())
    assert page.row("cases", f"{visible(name)} title of")
    assert len(tables((path / "comparison.md").read_text())[0]) == 3
    for svg in path.rglob("*.svg"):
        assert max(map(len, words(svg))) < 80


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
def test_a_run_of_a_very_long_title(make_run: Callable[..., Path], tmp_path: Path, name: str):
    path = make_run(tmp_path / "run", n=12, names=("B",))
    page = Reader(write_report(path, title=name).read_text())
    assert visible(name) in page.text["verdicts"]
    pair = write_page([path, path], tmp_path / "two.html", titles=[name, f"{name}!"])
    assert f"B · {visible(name)}!" in {a.get("data-label") for _, a in Reader(pair.read_text()).tags}


@pytest.fixture(scope="module")
def pages_to_open(odd: Path, titled: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    path = tmp_path_factory.mktemp("open") / "titled.html"
    path.write_text(titled)
    return [odd / "index.html", odd.parent / "new" / "index.html", path]


@pytest.mark.nightly
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out(browser: Browser, pages_to_open: list[Path], width: int):
    """Long names wrap or scroll in their own box, and no script complains."""
    said: list[str] = []
    for path in pages_to_open:
        page = browser.new_page(viewport={"width": width, "height": 844})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        boxes = page.locator(".scroll tbody th").evaluate_all("all => all.map(th => th.getBoundingClientRect().width)")
        assert max(boxes) <= 320
        if page.locator("#whose").count():
            for label in page.locator("#whose option").evaluate_all("all => all.map(o => o.value)"):
                page.locator("#whose").select_option(value=label)
                assert page.locator(".gallery > li:visible").count() > 0, label
        page.close()
    assert said == []


def test_words_of_a_name_are_isolated(page: Reader):
    """A name that is written from right to left does not turn the numbers around it."""
    assert sum(tag == "bdi" for tag, _ in page.tags) >= len(ODD)
    assert re.search(r"ورم الدماغ 12 Dice 0\.\d{4}", page.card("ورم الدماغ 12"))
