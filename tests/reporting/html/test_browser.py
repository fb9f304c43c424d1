"""The page in a browser: it opens from disk, loads nothing, says nothing on the console, and does what it offers."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

WIDTHS = {"phone": 390, "desktop": 1280}
EVERY_WIDTH = [
    pytest.param(WIDTHS["phone"], id="phone"),
    pytest.param(WIDTHS["desktop"], id="desktop", marks=pytest.mark.nightly),
    pytest.param(768, id="tablet", marks=pytest.mark.nightly),
    pytest.param(1920, id="wide", marks=pytest.mark.nightly),
]


@pytest.fixture
def opened(browser: Browser, run: Path) -> Iterator[Callable[..., Page]]:
    """Opens the page of the run; at the end nothing was loaded but the page, and the console is empty."""
    said: list[str] = []
    contexts = []

    def go(width: int = 1280, theme: Any = "light", anchor: str = "") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto((run / "index.html").as_uri() + anchor)
        return page

    yield go
    for context in contexts:
        context.close()
    ours = (run / "index.html").as_uri()
    assert [line for line in said if not line.startswith((ours, "data:"))] == []


def bad(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that is serious or critical."""
    found = Axe().run(page).response["violations"]
    return [(v["id"], [n["html"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("width", EVERY_WIDTH)
def test_it_opens_fits_and_is_accessible(opened: Callable[..., Page], width: int, theme: str):
    page = opened(width, theme)
    assert page.evaluate("document.documentElement.scrollWidth") == width  # nothing sticks out
    expect(page.locator("#cases tbody tr")).to_have_count(4)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert bad(page) == []


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.nightly)])
def test_wide_tables_scroll_in_their_own_box_on_a_phone(opened: Callable[..., Page], theme: str):
    """By keyboard too; which case a number belongs to stays in sight, on a ground that hides what passes beneath."""
    page = opened(WIDTHS["phone"], theme)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    boxes = page.locator(".scroll")
    # all cases, all verdicts, subgroups, new ones beside known ones, where models look, where they came from
    assert boxes.count() == 6
    for box in boxes.all():
        assert box.evaluate("box => box.scrollWidth > box.clientWidth")
        box.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())
        box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
        first = box.locator("tbody tr > :first-child").first
        outer, inner = box.bounding_box(), first.bounding_box()
        assert outer is not None
        assert inner is not None
        assert 0 <= inner["x"] - outer["x"] < 3
        assert inner["width"] < outer["width"] / 2  # room is left for the numbers
        assert first.evaluate("cell => getComputedStyle(cell).backgroundColor") not in (
            "transparent",
            "rgba(0, 0, 0, 0)",
        )
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTHS["phone"]


def test_axe_finds_what_is_bad(opened: Callable[..., Page]):
    page = opened()
    page.evaluate("document.querySelector('h1').style.color = '#eee'")
    assert "color-contrast" in dict(bad(page))


def column(page: Page, index: int) -> list[str]:
    return page.locator(f"#cases tbody tr:not([hidden]) > :nth-child({index})").all_inner_texts()


def test_a_click_sorts_and_another_turns_it_round(opened: Callable[..., Page]):
    page = opened()
    heading = page.locator("#cases thead th").nth(2)
    assert heading.inner_text() == "Dice"
    heading.locator("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    falling = column(page, 3)
    heading.locator("button").press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    rising = column(page, 3)
    there = [text for text in rising if text.strip() != "–"]
    assert len(set(there)) == 2
    assert there == [text for text in falling if text.strip() != "–"][::-1]
    assert {text.strip() for text in rising[2:] + falling[2:]} == {"–"}  # what has no value is last both times


def test_the_table_can_be_filtered(opened: Callable[..., Page]):
    page = opened()
    page.get_by_label("Find").fill("<SCRIPT")
    assert len(column(page, 1)) == 1
    expect(page.locator("#count")).to_have_text("1 of 4 cases")
    page.get_by_label("Find").fill("")
    page.locator("#verdict").select_option("error")
    assert [text.split()[0] for text in column(page, 1)] == ["broken"]
    page.locator("#verdict").select_option("")
    assert len(column(page, 1)) == 4


def at(tile: str) -> re.Pattern[str]:
    """The address of a tile. Expected, not read: the browser tells of a new one after the key that made it."""
    return re.compile(f"#{re.escape(tile)}$")


def test_the_gallery_goes_by_keys(opened: Callable[..., Page]):
    page = opened()
    tiles = page.locator(".gallery > li:visible")
    first, second, last = (str(tiles.nth(k).get_attribute("id")) for k in (0, 1, -1))
    tiles.first.locator(".look").click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    expect(page).to_have_url(at(first))
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(at(second))
    expect(viewer.locator(".name")).to_contain_text(f"sample {second.rpartition('-')[2]}")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(at(last))
    page.keyboard.press("Escape")
    expect(viewer).not_to_be_visible()
    # the browser tells of a closed dialog, and so gives back the focus, a moment later
    page.wait_for_function("id => document.activeElement.closest('li')?.id === id", arg=last)


@pytest.mark.parametrize("width", EVERY_WIDTH)
def test_the_enlarged_slice_is_accessible_and_fits(opened: Callable[..., Page], width: int):
    page = opened(width)
    page.locator(".gallery .look:visible").first.press("Enter")
    box = page.locator("#shown svg").bounding_box()
    assert box is not None
    assert 0 < box["x"] < box["x"] + box["width"] < width
    assert bad(page) == []


def test_a_link_to_a_slice_leads_to_it(opened: Callable[..., Page]):
    other = opened().locator(".gallery > li").last.get_attribute("id")
    expect(opened(anchor=f"#{other}").locator(f"[id='{other}']")).to_be_in_viewport()


def test_pictures_and_contours_are_drawn(opened: Callable[..., Page]):
    page = opened()
    tile = page.locator(".gallery .look:visible svg").first
    assert tile.locator("path.truth").evaluate("path => path.getTotalLength()") > 10
    with_image = tile.screenshot()
    page.evaluate("document.querySelectorAll('.store image').forEach(image => image.remove())")
    assert tile.screenshot() != with_image


@pytest.mark.parametrize("width", EVERY_WIDTH)
def test_a_map_stands_beside_its_slice(opened: Callable[..., Page], width: int):
    page = opened(width)
    page.locator("#whose").select_option("B")
    expect(page.locator(".gallery > li:visible")).to_have_count(2)
    page.locator(".gallery .look:visible").first.click()
    image, drawn = (page.locator("#shown svg").nth(k).bounding_box() for k in (0, 1))
    assert image is not None
    assert drawn is not None
    assert (image["y"], image["width"]) == pytest.approx((drawn["y"], drawn["width"]), abs=1)
    assert 0 < image["x"] < image["x"] + image["width"] <= drawn["x"] + 1 < drawn["x"] + drawn["width"] < width
    assert bad(page) == []


def test_the_theme_is_chosen_and_kept(opened: Callable[..., Page]):
    page = opened(theme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.locator("#theme").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == light
    assert opened(theme="light").evaluate(ground) == light


def test_copying_takes_the_text(opened: Callable[..., Page]):
    page = opened()
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.locator(".fact .copy").nth(1).click()
    assert '"truth fingerprint"' in page.evaluate("window.copied")


def test_it_is_whole_without_javascript(browser: Browser, run: Path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((run / "index.html").as_uri())
    assert page.locator("#cases tbody tr:visible").count() == 4
    assert page.locator(".gallery > li:visible").count() > 8
    assert page.locator(".tools:visible, .copy:visible, #theme:visible").count() == 0
    context.close()
