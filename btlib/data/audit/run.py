"""Audit of one data set, and comparison of two."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from btlib import __version__
from btlib.data.audit import (  # noqa: F401 - the checks register themselves
    classes,
    conflicts,
    duplicates,
    files_check,
    masks,
    patients,
    shortcuts,
    swapped,
)
from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined, examined
from btlib.data.audit.files_check import fault_findings
from btlib.data.audit.finding import AuditReport, Finding, worst_first
from btlib.data.audit.shared import shared_findings
from btlib.data.faults import faults_of
from btlib.data.load import open_source
from btlib.data.source import DatasetSource
from btlib.data.sources.table.row import TABLE
from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError

Then = Callable[[AuditReport, Examined | None, Examined | None], None]
"""What is done with the report while the thumbnails exist, such as writing a page with them."""


def audit(
    source: DatasetSource | Path,
    *,
    image_size: int = 256,
    parts: Mapping[str, str] | None = None,
    split: str | None = None,
    progress: bool = False,
    then: Then | None = None,
) -> AuditReport:
    """Make all checks of a data set. Every file is read once.

    Args:
        source: A source, or a folder.
        image_size: Side in pixels to which masks are resized for the check of small structures.
        parts: Part of each sample by its id; None uses the official split if there is one.
        split: Name of this split.
        progress: Draw a progress bar on stderr.
        then: Called with the report before the thumbnails are deleted.

    Raises:
        DataError: The folder does not exist or contains no samples of a known kind.
    """
    opened, faults = (source, ()) if isinstance(source, DatasetSource) else open_for_audit(source)
    if opened is None:
        return _unopened(Path(str(source)), faults, image_size, then)
    with examined(opened, parts, split, image_size, faults, progress) as data:
        findings = [finding for name in CHECKS for finding in CHECKS[name](data)] if data.samples else []
        if not data.samples:
            findings = list(fault_findings(data.faults))
        report = _report(data, findings)
        if then is not None:
            then(report, data, None)
        return report


def compare(
    first: DatasetSource | Path,
    second: DatasetSource | Path,
    *,
    image_size: int = 256,
    progress: bool = False,
    then: Then | None = None,
) -> AuditReport:
    """Find the images that two data sets share, exactly or nearly.

    Args:
        first: A source, or a folder.
        second: Another one.
        image_size: Side in pixels; only stored in the report.
        progress: Draw progress bars on stderr.
        then: Called with the report before the thumbnails are deleted.

    Raises:
        DataError: A folder cannot be opened.
    """
    with ExitStack() as stack:
        sides: list[Examined] = []
        findings: list[Finding] = []
        for one in (first, second):
            opened, faults = (one, ()) if isinstance(one, DatasetSource) else open_for_audit(one)
            if opened is None:
                raise faults[0] if len(faults) == 1 else DataError(f"{len(faults)} faults, the first: {faults[0]}")
            data = stack.enter_context(examined(opened, None, None, image_size, faults, progress))
            sides.append(data)
            findings += fault_findings(data.faults)
        findings += shared_findings(*sides)
        report = _report(sides[0], findings, sides[1])
        if then is not None:
            then(report, sides[0], sides[1])
        return report


def open_for_audit(folder: Path) -> tuple[DatasetSource | None, tuple[DataError, ...]]:
    """Open a folder and return its source and its faults. Faulty rows of a table are left out.

    There is no source if no row is left.

    Raises:
        DataError: There is no such folder, or it contains no samples of a known kind.
    """
    try:
        source = open_source(folder)
        _ = source.task
        return source, ()
    except DataError as error:
        if not (folder / TABLE).is_file():
            raise
        faults = faults_of(error)
    try:
        table = TableSource(folder, leave_out=True)
        _ = table.task
    except DataError as error:
        return None, faults_of(error)
    return table, table.faults or faults


def _unopened(folder: Path, faults: tuple[DataError, ...], image_size: int, then: Then | None) -> AuditReport:
    report = AuditReport(
        btlib=__version__,
        place=str(folder),
        task="unknown",
        samples=0,
        readable=0,
        image_size=image_size,
        checks=("files",),
        findings=tuple(fault_findings(faults)),
    )
    if then is not None:
        then(report, None, None)
    return report


def _report(data: Examined, findings: list[Finding], other: Examined | None = None) -> AuditReport:
    return AuditReport(
        btlib=__version__,
        place=data.source.place,
        other=None if other is None else other.source.place,
        task=data.source.task.name,
        samples=len(data.listed),
        readable=len(data.samples),
        image_size=data.image_size,
        split=data.split,
        checks=("shared",) if other is not None else tuple(CHECKS),
        findings=worst_first(findings),
    )
