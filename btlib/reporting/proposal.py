"""Changes that a proposed baseline would make, as lines for the terminal."""

from tabulate import tabulate

from btlib.decimals import decimals
from btlib.gate import ReferenceValue, Verdict
from btlib.gate.acceptance import Proposal
from btlib.reporting.names import in_terminal
from btlib.reporting.numbers import interval, number
from btlib.reporting.subgroup_table import warning_lines


def proposal_lines(proposal: Proposal) -> list[str]:
    """Return old and new values by case and metric, changes of recipe and environment, and reasons for refusal."""
    verdicts = {(v.case, v.metric): v for v in proposal.verdicts}
    rows = [
        _row(name, figure, verdicts.get((name, figure.metric)))
        for name in proposal.cases
        for figure in proposal.new.cases[name].figures
    ]
    lines = tabulate(rows, "keys", "simple", disable_numparse=True).splitlines()
    complete = len(proposal.cases) == len(proposal.new.cases)
    label = "change" if complete else "different from the baseline"  # the other cases are not replaced
    lines += ["", *(f"{label}: {line}" for line in proposal.changes)] if proposal.changes else []
    lines += [f"refused: {line}" for line in proposal.refusals]
    lines += [
        f"worse: {v.case} {v.metric} {number(v.difference, f'+.{v.decimals}f')} ({v.status})" for v in proposal.worse
    ]
    return lines + warning_lines(proposal.verdicts)


def _row(case: str, figure: ReferenceValue, verdict: Verdict | None) -> dict[str, str]:
    digits = verdict.decimals if verdict else decimals(figure.margin, [figure.value])
    old = verdict.baseline if verdict else None
    return {
        "case": in_terminal(case),
        "metric": figure.metric,
        "old": number(old, f".{digits}f"),
        "new": f"{figure.value:.{digits}f}",
        "interval of the difference": interval(verdict.low, verdict.high, digits) if verdict else "–",
        "verdict": verdict.status if verdict else "new",
    }
