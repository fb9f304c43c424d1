"""Check: files that cannot be read, and images without content."""

from collections.abc import Iterator
from pathlib import Path

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Item, counted
from btlib.errors import DataError


def check_files(data: Examined) -> Iterator[Finding]:
    """Report every faulty file with its fault; faults with the same hint are one finding."""
    yield from fault_findings(data.faults)
    blank = [one for one in data.samples if one.constant]
    if blank:
        yield Finding(
            check="files",
            severity="error",
            title=f"{counted(len(blank), 'image')} without content: all pixels are equal",
            items=tuple(Item(samples=(one.id,), message=f"all pixels are {one.mean:g}") for one in blank),
            numbers={"images": len(blank)},
            hint="replace or remove these samples",
        )


def fault_findings(faults: tuple[DataError, ...]) -> Iterator[Finding]:
    """Yield one finding for all faults that have the same hint."""
    by_hint: dict[str | None, list[DataError]] = {}
    for fault in faults:
        by_hint.setdefault(fault.hint, []).append(fault)
    for hint, found in by_hint.items():
        yield Finding(
            check="files",
            severity="error",
            title=f"{counted(len(found), 'fault')} in files or in their description",
            items=tuple(Item(message=f"{Path(fault.where or '?').name}: {fault.problem}") for fault in found),
            numbers={"faults": len(found)},
            hint=hint or "replace or remove these samples",
        )


CHECKS.add("files", check_files)
