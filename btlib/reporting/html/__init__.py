"""Report of a run as one self-contained HTML page that needs no server and no network."""

from btlib.reporting.html.write import write_page, write_report

__all__ = ["write_page", "write_report"]
