"""The report of a run as one page: HTML that needs no server, no network and nothing beside it."""

from btlib.reporting.html.write import write_page, write_report

__all__ = ["write_page", "write_report"]
