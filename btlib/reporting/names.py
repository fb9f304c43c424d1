"""Names of cases and runs as they are displayed: anyone's text, which must not break a line, a table or a page."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import accumulate

from btlib.errors import OptionError

Naming = Callable[[str], str]
"""How a name is written in one kind of output."""

_MOST = 48  # columns of a name in a table of the terminal
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, ends of lines, marks that turn the direction of all that follows, and what XML does not allow."""

_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters, by their category, in which nothing is to be seen."""

_MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|[@#](?=\w)")


def visible(name: str) -> str:
    """A name on one line of which every letter can be written and seen.

    Control characters, surrogates and marks that turn the direction of text are written as in Python ("\\x07"), and so
    is the whole name where nothing of it is to be seen.
    """
    text = " ".join(_UNSAFE.sub(_escaped, name).split())
    return text if any(map(_seen, text)) else ascii(name)


def printable(text: str) -> str:
    """A text that may have several lines; other control characters in it are written as in Python."""
    return "\n".join(_UNSAFE.sub(_escaped, line) for line in text.expandtabs().splitlines())


def width(text: str) -> int:
    """Columns of a text in a terminal: two of a wide letter, none of a mark upon another."""
    return sum(map(_columns, text))


def shortened(text: str, most: int) -> str:
    """A text of at most so many columns; "…" stands for what is left out of its middle."""
    if width(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{_start(text, most - 1 - half)}…{_start(text[::-1], half)[::-1]}"


def markdown(text: str) -> str:
    """Text that Markdown takes as text: no markup, no HTML, no cell of a table ended, no one mentioned."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};" if found[0] in "<&@#" else f"\\{found[0]}", text)


def code(text: str) -> str:
    """Text on one line as code in Markdown, whatever backticks are in it."""
    shown = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def in_markdown(name: str) -> str:
    """A name in a Markdown file, whole."""
    return markdown(visible(name))


def in_terminal(name: str) -> str:
    """A name in a table of the terminal, of 48 columns at most."""
    return shortened(visible(name), _MOST)


def naming(style: str) -> Naming:
    """How names stand in a table of a format of `tabulate`."""
    return in_markdown if style == "github" else in_terminal


def with_title(case: str, title: str, name: Naming) -> str:
    """A case's name and its title, if it has one."""
    return f"{name(case)} {name(title)}" if title.strip() else name(case)


def numbered(names: Sequence[str]) -> list[str]:
    """Names told apart: where several are the same, each has its place behind it."""
    return [name if names.count(name) == 1 else f"{name} [{place}]" for place, name in enumerate(names, 1)]


def check_titles(titles: Sequence[str], sources: Sequence[object]) -> None:
    """Whether each source has a title of its own, or none has one.

    Raises:
        OptionError: There are more or fewer titles than sources, or two of them look the same.
    """
    if titles and len(titles) != len(sources):
        raise OptionError(
            f"expected {len(sources)}, one for each source, got {len(titles)}",
            where="--name",
            hint="give --name once for each source, in their order",
        )
    seen = list(map(visible, titles))
    if twice := next((title for title in seen if seen.count(title) > 1), None):
        raise OptionError(f"{twice!r} is given twice", where="--name", hint="give each source a name of its own")


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _seen(letter: str) -> bool:
    return not letter.isspace() and letter not in _BLANK and unicodedata.category(letter) not in ("Cf", "Mn", "Me")


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _start(text: str, most: int) -> str:
    """As many of the first letters as fit into so many columns."""
    return text[: sum(end <= most for end in accumulate(map(_columns, text)))]
