"""What a proposed baseline would change, as lines for the terminal."""

from tabulate import tabulate

from btlib.baselines import Verdict
from btlib.reporting.numbers import interval, number
from btlib.runs.accept import Proposal


def proposal_lines(proposal: Proposal) -> list[str]:
    """Old → new by case and metric, then recipe and environment, then why it would be refused."""
    verdicts = {(v.case, v.metric): v for v in proposal.verdicts}
    kept = proposal.old.cases if proposal.old else {}
    rows = [
        _row(name, figure.metric, figure.value, verdicts.get((name, figure.metric)))
        for name, case in sorted(proposal.new.cases.items())
        for figure in case.figures
        if case is not kept.get(name)
    ]
    lines = tabulate(rows, "keys", "simple", disable_numparse=True).splitlines()
    lines += ["", *(f"change: {line}" for line in proposal.changes)] if proposal.changes else []
    lines += [f"refused: {line}" for line in proposal.refusals]
    return lines + [f"worse: {v.case} {v.metric} {v.difference:+.4f} ({v.status})" for v in proposal.worse]


def _row(case: str, metric: str, new: float, verdict: Verdict | None) -> dict[str, str]:
    old = verdict.baseline if verdict else None
    return {
        "case": case,
        "metric": metric,
        "old": number(old, ".4f"),
        "new": f"{new:.4f}",
        "95 % of the difference": interval(verdict.low, verdict.high) if verdict else "–",
        "verdict": verdict.status if verdict else "new",
    }
