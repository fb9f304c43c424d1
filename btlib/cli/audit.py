"""`btlib data audit`: look for faults of a data set before anything is trained on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from btlib.cli.output import one_line, print_error, print_line
from btlib.errors import OptionError

if TYPE_CHECKING:
    from btlib.data.audit.examine import Examined
    from btlib.data.audit.finding import AuditReport, Finding

_FILE = "audit.json"
_ITEMS = 5  # of a finding on the screen
_NAMES = 3  # of an item
_MARKS = {"error": "✗", "warning": "!", "info": "·"}


def audit(
    folder: Annotated[Path, typer.Argument(help="Folder of samples.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[OTHER]", help="Second folder: find the images that both contain.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help=f"Write index.html with thumbnails, and {_FILE}; default: only {_FILE} in the working directory, if "
            "there are errors or warnings.",
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=2, help="Side in pixels to which a run would resize the masks.")] = 256,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings too.")] = False,
) -> None:
    """Look for faulty files, duplicates, leaks between parts, wrong masks and shortcuts; exit code 1 if any error.

    Every file is read once. All findings with all samples are in the JSON file; the screen shows the first of them.
    """
    from btlib.data.audit.run import audit as audit_one
    from btlib.data.audit.run import compare

    def write(report: "AuditReport", data: "Examined | None", second: "Examined | None") -> None:
        if out is not None:
            from btlib.reporting.html.audit import write_audit

            write_audit(report, out, data, second)

    if other is None:
        report = audit_one(folder, image_size=size, progress=True, then=write)
    else:
        report = compare(folder, other, image_size=size, progress=True, then=write)
    _show(report)
    if out is not None:
        print_line(f"The page is {out / 'index.html'}, all findings are in {out / _FILE}")
    elif report.count("error") or report.count("warning"):
        _write(report)
    if report.count("error") or (strict and report.count("warning")):
        raise typer.Exit(1)


def _show(report: "AuditReport") -> None:
    from btlib.reporting.html.audit import summary_line

    for finding in report.findings:
        for line in lines_of(finding):
            print_line(line)
    print_line(one_line(f"{report.place}: {summary_line(report)}"))


def lines_of(finding: "Finding") -> list[str]:
    """Return the lines of a finding on the screen: its title, its first items and its hint."""
    lines = [f"{_MARKS[finding.severity]} {finding.severity} ({finding.check}): {one_line(finding.title)}"]
    for item in finding.items[:_ITEMS]:
        names = [*item.samples[:_NAMES], *item.others[:_NAMES]]
        more = len(item.samples) + len(item.others) - len(names)
        text = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        lines.append(f"    {one_line(': '.join(filter(None, (text, item.message))))}")
    if len(finding.items) > _ITEMS:
        lines.append(f"    … and {len(finding.items) - _ITEMS} more")
    return [*lines, f"    Hint: {one_line(finding.hint)}"] if finding.hint else lines


def _write(report: "AuditReport") -> None:
    """Write the report to the working directory; if that is not possible, the screen has shown the most important."""
    from btlib import files

    try:
        files.write_text(Path(_FILE), report.as_json())
    except OSError as error:
        print_error(OptionError(f"cannot be written: {error}", where=_FILE, hint="name another folder with --out"))
    else:
        print_line(f"All findings are in {_FILE}; --out DIR writes a page with thumbnails too")
