"""Output of the command line: results on stdout, errors and progress on stderr. Text is printed without markup."""

import re

from rich.console import Console
from rich.table import Table
from rich.text import Text

from btlib.errors import BtlibError

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Characters that move the cursor, end a line or change the direction of text, except tab and line feed."""

_BREAK = re.compile(r"[\t\n]")


def print_error(error: BtlibError | OSError) -> None:
    """Print an error to stderr: the problem, its place and a hint."""
    console = Console(stderr=True)
    text = Text("Error: ", style="bold red").append(_literal(str(error), console), style="default not bold")
    console.print(text, soft_wrap=True)


def print_counts(title: str, counts: dict[str, int]) -> None:
    """Print a table of names and numbers of samples to stdout."""
    console = Console()
    table = Table("", "samples", title=title, title_justify="left")
    table.columns[1].justify = "right"
    for name, count in counts.items():
        table.add_row(Text(_literal(name, console)), str(count))
    console.print(table)


def print_line(line: str) -> None:
    """Print a line to stdout without markup and wrapping; control characters are escaped."""
    console = Console()
    console.print(Text(_literal(line, console)), soft_wrap=True)


def one_line(text: str) -> str:
    """Return a user's name or title with tabs and line feeds escaped, so that it stays on one line."""
    return _BREAK.sub(_escape, text)


def _literal(text: str, console: Console) -> str:
    """Return the text with escapes (`\\x1b`) for control characters and characters outside the terminal's encoding."""
    visible = _CONTROL.sub(_escape, text)
    return visible.encode(console.encoding, "backslashreplace").decode(console.encoding)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
