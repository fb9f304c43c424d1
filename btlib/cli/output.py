"""How the command line speaks: results on stdout, errors and progress on stderr."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from btlib.errors import BtlibError


def print_error(error: BtlibError) -> None:
    """One error on stderr: what is wrong, where, and how to mend it."""
    text = Text("Error: ", style="bold red").append(str(error), style="default not bold")
    Console(stderr=True).print(text, soft_wrap=True)


def print_counts(title: str, counts: dict[str, int]) -> None:
    """A two-column table of names and numbers on stdout."""
    table = Table("", "slices", title=title, title_justify="left")
    table.columns[1].justify = "right"
    for name, count in counts.items():
        table.add_row(Text(name), str(count))
    Console().print(table)


def print_line(line: str) -> None:
    """A line on stdout, taken literally: no markup, no wrapping."""
    Console().print(Text(line), soft_wrap=True)
