"""What a proposed baseline would change, as lines for the terminal."""

from tabulate import tabulate

from btlib.gate import Verdict
from btlib.gate.acceptance import Proposal
from btlib.reporting.names import in_terminal
from btlib.reporting.numbers import interval, number


def proposal_lines(proposal: Proposal) -> list[str]:
    """Old → new by case and metric, then recipe and environment, then why it would be refused."""
    verdicts = {(v.case, v.metric): v for v in proposal.verdicts}
    rows = [
        _row(name, figure.metric, figure.value, verdicts.get((name, figure.metric)))
        for name in proposal.cases
        for figure in proposal.new.cases[name].figures
    ]
    lines = tabulate(rows, "keys", "simple", disable_numparse=True).splitlines()
    word = "change" if len(proposal.cases) == len(proposal.new.cases) else "unlike the baseline's own"  # which stays
    lines += ["", *(f"{word}: {line}" for line in proposal.changes)] if proposal.changes else []
    lines += [f"refused: {line}" for line in proposal.refusals]
    return lines + [f"worse: {v.case} {v.metric} {number(v.difference, '+.4f')} ({v.status})" for v in proposal.worse]


def _row(case: str, metric: str, new: float, verdict: Verdict | None) -> dict[str, str]:
    old = verdict.baseline if verdict else None
    return {
        "case": in_terminal(case),
        "metric": metric,
        "old": number(old, ".4f"),
        "new": f"{new:.4f}",
        "95 % of the difference": interval(verdict.low, verdict.high) if verdict else "–",
        "verdict": verdict.status if verdict else "new",
    }
