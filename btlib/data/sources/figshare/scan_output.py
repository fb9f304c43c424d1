"""Output of a folder's scan: a summary for the terminal, and the complete result as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from btlib import files
from btlib.data.quota import shares
from btlib.data.sources.figshare.scan import ScanReport
from btlib.errors import DataError, OptionError

SCHEMA = "btlib-verify/1"
_FILES = 20  # maximum number of faults on a terminal


def fault_lines(faults: Sequence[DataError], most: int = _FILES) -> Iterator[str]:
    """Yield the faults as text for a terminal, grouped by hint; each hint follows its faults once.

    Args:
        faults: Faults of files, or of the folder.
        most: Maximum number of faults shown, divided among the hints.
    """
    by_hint: dict[str | None, list[DataError]] = {}
    for fault in faults:
        by_hint.setdefault(fault.hint, []).append(fault)
    counts = [len(group) for group in by_hint.values()]
    for (hint, group), shown in zip(by_hint.items(), shares(counts, min(most, len(faults))), strict=True):
        lines = [f"Fault: {DataError(fault.problem, where=fault.where)}" for fault in group[:shown]]
        if len(group) > shown:
            lines.append(f"… and {len(group) - shown} more")
        yield str(DataError("\n".join(lines), hint=hint))


def patients_line(patients: Mapping[str | None, int]) -> str:
    """Line with the number of patients, the slices per patient, and the number of slices without a patient id.

    Args:
        patients: Number of slices of each patient; the key None counts slices without an id.
    """
    counts = [count for patient, count in patients.items() if patient is not None]
    each = f", slices per patient: min {min(counts)}, median {median(counts):g}, max {max(counts)}" if counts else ""
    return f"{len(counts)} patients{each}; slices without a patient id: {patients.get(None, 0)}"


def write_report(report: ScanReport, path: Path) -> None:
    """Write all patients and all faults as JSON, atomically.

    Raises:
        OptionError: The file cannot be written.
    """
    try:
        files.write_json(path, _as_json(report))
    except OSError as error:
        problem = f"the report cannot be written: {error.strerror}"
        raise OptionError(problem, where=path, hint="name a writable file with --out") from error


def _as_json(report: ScanReport) -> dict[str, Any]:
    sizes = sorted(report.sizes.items())
    patients = sorted(report.patients.items(), key=lambda item: (item[0] is None, item[0] or ""))
    return {
        "schema": SCHEMA,
        "folder": _encodable(str(report.folder)),
        "slices": report.n,
        "classes": dict(report.classes),
        "origins": dict(report.origins),
        "sizes": [{"height": height, "width": width, "slices": count} for (height, width), count in sizes],
        "patients": [{"id": _encodable(patient), "slices": count} for patient, count in patients],
        "faults": [
            {"where": _encodable(fault.where), "problem": _encodable(fault.problem), "hint": fault.hint}
            for fault in report.faults
        ],
        "notes": [_encodable(note) for note in report.notes],
    }


def _encodable(text: str | None) -> str | None:
    """Escape characters that UTF-8 cannot encode: file names and patient codes may contain lone surrogates."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")
