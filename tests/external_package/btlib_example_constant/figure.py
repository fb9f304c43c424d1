"""A figure of one's own in the HTML report: a bar for each case."""

from btlib.gate.judgement import Judgement
from btlib.hooks import hookimpl
from btlib.reporting.section import Section


@hookimpl
def btlib_report_sections(judgement: Judgement) -> list[Section]:
    """As many bars as there are cases."""
    bars = "".join(f'<rect x="{20 * k}" y="0" width="15" height="50"/>' for k in range(len(judgement.cases)))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 50">{bars}</svg>'
    return [Section("Bars of the example", f"{len(judgement.cases)} cases", svg)]
