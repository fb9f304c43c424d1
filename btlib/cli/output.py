"""How the command line prints: results on stdout, errors and progress on stderr; all text is taken literally."""

import re

from rich.console import Console
from rich.table import Table
from rich.text import Text

from btlib.errors import BtlibError

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What moves the cursor, ends a line or turns the direction of text; all but tab and line feed."""

_BREAK = re.compile(r"[\t\n]")


def print_error(error: BtlibError | OSError) -> None:
    """One error on stderr: what is wrong, where, and what to do about it."""
    console = Console(stderr=True)
    text = Text("Error: ", style="bold red").append(_literal(str(error), console), style="default not bold")
    console.print(text, soft_wrap=True)


def print_counts(title: str, counts: dict[str, int]) -> None:
    """A two-column table of names and numbers on stdout."""
    console = Console()
    table = Table("", "samples", title=title, title_justify="left")
    table.columns[1].justify = "right"
    for name, count in counts.items():
        table.add_row(Text(_literal(name, console)), str(count))
    console.print(table)


def print_line(line: str) -> None:
    """A line on stdout, taken literally: no markup, no wrapping, control characters as escapes."""
    console = Console()
    console.print(Text(_literal(line, console)), soft_wrap=True)


def one_line(text: str) -> str:
    """A name or title of a user's, which must not break the line that it stands in."""
    return _BREAK.sub(_escape, text)


def _literal(text: str, console: Console) -> str:
    """The text as a terminal can show it: control characters, and what its encoding lacks, as escapes (`\\x1b`)."""
    visible = _CONTROL.sub(_escape, text)
    return visible.encode(console.encoding, "backslashreplace").decode(console.encoding)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
