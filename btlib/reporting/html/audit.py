"""Page of an audit: findings with thumbnails, in one file that needs no network."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from btlib import files
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import AuditReport, Finding, Item, counted
from btlib.data.audit.thumbnail import SIDE
from btlib.reporting.html.render import asset, environment

_MOST_ITEMS = 24  # of a finding
_MOST_SAMPLES = 4  # of an item
_TONES = {"error": "bad", "warning": "warn", "info": "plain"}


@dataclass(frozen=True)
class _Picture:
    name: str
    address: str
    outlines: tuple[str, ...]


def write_audit(report: AuditReport, folder: Path, data: Examined | None = None, other: Examined | None = None) -> Path:
    """Write `index.html` and `audit.json` into a folder.

    Args:
        report: Report of the audit.
        folder: The folder; it is created.
        data: Audited samples, for thumbnails; None shows none.
        other: Samples of the second data set, if two were compared.

    Returns:
        Path of the page.
    """
    files.write_text(folder / "audit.json", report.as_json())
    files.write_text(folder / "index.html", _page(report, _Thumbnails(data), _Thumbnails(other)))
    return folder / "index.html"


class _Thumbnails:
    """Thumbnails of a data set by the ids of its samples."""

    def __init__(self, data: Examined | None) -> None:
        self._data = data
        self._at: Mapping[str, int] = {} if data is None else {one.id: i for i, one in enumerate(data.samples)}

    def picture(self, name: str) -> _Picture:
        """Return the picture of a sample; a sample that could not be read has a name only."""
        if self._data is None or name not in self._at:
            return _Picture(name, "", ())
        i = self._at[name]
        row, store = self._data.rows[i], self._data.store
        grey = np.rint(store.image(row) * 255).astype(np.uint8)
        structures = range(len(self._data.source.task.structures))
        outlines = tuple(path for k in structures if (path := _outline(store.mask(row, k))))
        return _Picture(name, _address(grey), outlines)


def _address(grey: NDArray[np.uint8]) -> str:
    """Return an image as a data URL, JPEG."""
    import cv2

    _, buffer = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(buffer.tobytes()).decode()


def _outline(mask: NDArray[np.bool_]) -> str:
    """Return the outline of a mask as an SVG path; empty for an empty mask."""
    import cv2

    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    lines = [[f"{x + 0.5:g} {y + 0.5:g}" for x, y in np.asarray(contour).reshape(-1, 2)] for contour in found]
    return "".join(f"M{'L'.join(line)}Z" for line in lines)


def _page(report: AuditReport, first: _Thumbnails, second: _Thumbnails) -> str:
    template = environment().get_template("audit.html.j2")
    name = Path(report.place).name
    text = template.render(
        report=report,
        name=name if report.other is None else f"{name} and {Path(report.other).name}",
        summary=summary_line(report),
        findings=[_shown(finding, first, second) for finding in report.findings],
        side=SIDE,
        style=Markup(asset("report.css")),
    )
    return text + "\n"


def summary_line(report: AuditReport) -> str:
    """Return one line on the number of samples and findings."""
    counts = [counted(report.count("error"), "error"), counted(report.count("warning"), "warning")]
    read = "" if report.readable == report.samples else f" ({report.readable} readable)"
    return f"{counted(report.samples, 'sample')}{read}: {counts[0]}, {counts[1]}"


def _shown(finding: Finding, first: _Thumbnails, second: _Thumbnails) -> dict[str, object]:
    return {
        "tone": _TONES[finding.severity],
        "severity": finding.severity,
        "check": finding.check,
        "title": finding.title,
        "hint": finding.hint,
        "shown": [_item(item, first, second) for item in finding.items[:_MOST_ITEMS]],
        "left_out": max(0, len(finding.items) - _MOST_ITEMS),
    }


def _item(item: Item, first: _Thumbnails, second: _Thumbnails) -> dict[str, object]:
    pictures = [first.picture(name) for name in item.samples[:_MOST_SAMPLES]]
    pictures += [second.picture(name) for name in item.others[:_MOST_SAMPLES]]
    left_out = len(item.samples) + len(item.others) - len(pictures)
    return {"pictures": pictures, "message": item.message, "left_out": left_out}
