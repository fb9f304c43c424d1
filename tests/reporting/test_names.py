"""How names are displayed, each rule by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from btlib.errors import OptionError
from btlib.reporting.names import (
    check_titles,
    code,
    in_markdown,
    in_terminal,
    markdown,
    naming,
    numbered,
    printable,
    shortened,
    visible,
    width,
    with_title,
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("A", "A"),
        ("one\ntwo\r\nthree\u2028four", r"one\ntwo\r\nthree\u2028four"),
        ("bell\x07 null\x00 \x1b[31m", r"bell\x07 null\x00 \x1b[31m"),
        ("abc\u202egpj.exe", r"abc\u202egpj.exe"),
        ("a\uffff", r"a\uffff"),
        ("\udcff", r"\udcff"),
        ("脑 🧠 👩\u200d⚕️ ورم", "脑 🧠 👩\u200d⚕️ ورم"),
        ("  two   words\u00a0", "two words"),
        ("", "''"),
        ("  ", "'  '"),
        ("\u200b", r"'\u200b'"),
        ("\u3164", r"'\u3164'"),
    ],
)
def test_what_is_visible(name: str, shown: str):
    assert visible(name) == shown


@given(st.text())
def test_any_name_is_one_line_that_can_be_written_and_seen(name: str):
    shown = visible(name)
    assert shown.splitlines() == [shown]
    assert shown.isprintable() or not set(shown) & set(map(chr, range(32)))
    assert shown.strip()
    shown.encode()
    assert visible(shown) == shown


@given(st.text(), st.integers(1, 40))
def test_a_shortened_text_fits(text: str, most: int):
    short = shortened(text, most)
    assert width(short) <= most
    assert short == text if width(text) <= most else "…" in short


def test_both_ends_of_a_long_name_stay():
    assert shortened("abcdefghij", 7) == "abc…hij"
    assert shortened("脑脑脑脑脑", 7) == "脑…脑"
    assert len(in_terminal("x" * 300)) == 48


@given(st.text(alphabet=st.sampled_from("\\`*_[]()<>&|~#@$!ab1 ;:/\n-.{}")))
def test_markdown_shows_a_name_as_it_is(name: str):
    """In a cell of a table and in bold: nothing of it becomes markup, and nothing is lost."""
    text = f"| case |\n|---|\n| {in_markdown(name)} |\n\nx **{in_markdown(name)}** y"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    _, cell, line = (token for token in tokens if token.type == "inline")
    assert {child.type for child in cell.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in cell.children or ()) == visible(name)
    assert "".join(child.content for child in line.children or () if child.type.startswith("text")) in (
        f"x {visible(name)} y",
        f"x **{visible(name)}** y",  # bold, where the letters at its ends allow it
    )


def test_what_needs_no_escape_has_none():
    for text in ("macro_f1", "< 0.0001", "±0.02 (2.5 %)", "a & b", "A − B", "1.5 … 2"):
        assert markdown(text) == text
    assert markdown("@someone #12") == "&#64;someone &#35;12"


@given(st.text(alphabet="ab` -"))
def test_code_is_code(text: str):
    (inline,) = (t for t in MarkdownIt("commonmark").parse(f"- x: {code(text)}") if t.type == "inline")
    said, shown = inline.children or ()
    assert (said.type, shown.type, shown.content) == ("text", "code_inline", visible(text))


def test_names_that_are_the_same_are_numbered():
    assert numbered(["a", "b", "a"]) == ["a [1]", "b", "a [3]"]


@pytest.mark.parametrize(
    ("titles", "told"),
    [
        (["one"], "--name: expected 2, one for each source, got 1"),
        (["one", "two", "three"], "--name: expected 2, one for each source, got 3"),
        (["one", "one"], "--name: expected different names, found 'one' twice"),
        (["one ", " one"], "--name: expected different names, found 'one' twice"),
    ],
)
def test_titles_that_fit_no_sources(titles: list[str], told: str):
    with pytest.raises(OptionError) as found:
        check_titles(titles, ["a", "b"])
    assert str(found.value).startswith(told)
    assert found.value.hint


@pytest.mark.parametrize("titles", [[], ["one", "two"]])
def test_titles_that_fit(titles: list[str]):
    check_titles(titles, ["a", "b"])


def test_a_text_of_several_lines_keeps_them():
    assert printable("a\tb\r\nc\x1b[31m\n\nd\u202e") == "a       b\nc\\x1b[31m\n\nd\\u202e"


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [("abcd", 4, "abcd"), ("abcde", 4, "ab…e"), ("abcde", 1, "…"), ("e\u0301" * 5, 5, "e\u0301" * 5)],
)
def test_what_is_left_out_of_a_name(text: str, most: int, short: str):
    assert shortened(text, most) == short


def test_a_name_and_its_title():
    assert with_title("a_", "t*", in_markdown) == r"a\_ t\*"
    assert with_title("a_", " \t", in_terminal) == "a_"
    assert naming("github") is in_markdown
    assert naming("simple") is in_terminal
