"""Safe display of names of cases and runs: any text is allowed and must not break a line, a table or a page."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import accumulate

from btlib.errors import OptionError

Naming = Callable[[str], str]
"""Function that formats a name for one kind of output."""

_MOST = 48  # columns of a name in a terminal table
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, line ends, marks that change the text direction, and characters that XML does not allow."""

_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Characters in letter or symbol categories that are invisible."""

_MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|[@#](?=\w)")


def visible(name: str) -> str:
    """Return a name as one visible line.

    Control characters, surrogates and marks that change the text direction are written as Python escapes ("\\x07"). A
    name without any visible character is escaped completely.
    """
    text = " ".join(_UNSAFE.sub(_escaped, name).split())
    return text if any(map(_seen, text)) else ascii(name)


def printable(text: str) -> str:
    """Return a text, possibly of several lines, with other control characters written as Python escapes."""
    return "\n".join(_UNSAFE.sub(_escaped, line) for line in text.expandtabs().splitlines())


def width(text: str) -> int:
    """Return the columns of a text in a terminal: two for a wide character, none for a combining mark."""
    return sum(map(_columns, text))


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` columns; "…" replaces the middle of a longer text."""
    if width(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{_start(text, most - 1 - half)}…{_start(text[::-1], half)[::-1]}"


def markdown(text: str) -> str:
    """Escape a text for Markdown, so that it causes no markup, HTML, end of a table cell, or mention."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};" if found[0] in "<&@#" else f"\\{found[0]}", text)


def code(text: str) -> str:
    """Return a text as one line of Markdown code; backticks in the text are allowed."""
    shown = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def in_markdown(name: str) -> str:
    """Return a complete name for a Markdown file."""
    return markdown(visible(name))


def in_terminal(name: str) -> str:
    """Return a name for a terminal table, of 48 columns at most."""
    return shortened(visible(name), _MOST)


def naming(style: str) -> Naming:
    """Return the function that formats names for a table in a format of `tabulate`."""
    return in_markdown if style == "github" else in_terminal


def with_title(case: str, title: str, name: Naming) -> str:
    """Return a case's name, followed by its title if it has one."""
    return f"{name(case)} {name(title)}" if title.strip() else name(case)


def numbered(names: Sequence[str]) -> list[str]:
    """Return unique names: equal names get their position appended."""
    return [name if names.count(name) == 1 else f"{name} [{place}]" for place, name in enumerate(names, 1)]


def check_titles(titles: Sequence[str], sources: Sequence[object]) -> None:
    """Check that each source has a different title, or that there are no titles.

    Raises:
        OptionError: There are more or fewer titles than sources, or two titles look the same.
    """
    if titles and len(titles) != len(sources):
        raise OptionError(
            f"expected {len(sources)}, one for each source, got {len(titles)}",
            where="--name",
            hint="give --name once for each source, in their order",
        )
    seen = list(map(visible, titles))
    if twice := next((title for title in seen if seen.count(title) > 1), None):
        raise OptionError(
            f"expected different names, found {twice!r} twice", where="--name", hint="give each source a different name"
        )


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _seen(letter: str) -> bool:
    return not letter.isspace() and letter not in _BLANK and unicodedata.category(letter) not in ("Cf", "Mn", "Me")


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _start(text: str, most: int) -> str:
    """Return as many of the first characters as fit into `most` columns."""
    return text[: sum(end <= most for end in accumulate(map(_columns, text)))]
