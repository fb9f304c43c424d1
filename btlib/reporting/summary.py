"""Short Markdown summary of a run for a comment on a pull request: `summary.md`."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tabulate import tabulate

from btlib.data.task import Task
from btlib.decimals import decimals
from btlib.gate import Verdict
from btlib.gate.verdict import HOLDS
from btlib.reporting.comparison import Comparison, Row
from btlib.reporting.intervals import Mean
from btlib.reporting.names import in_markdown, markdown, shortened, visible, with_title
from btlib.reporting.numbers import interval, number
from btlib.reporting.subgroup_table import warning_lines
from btlib.reporting.text import PHANTOM_NOTE

_ROWS, _REASONS, _LETTERS, _COLUMNS = 20, 8, 200, 80


def summary(comparison: Comparison, means: Mapping[tuple[str, str], Mean], unread: Sequence[str] = ()) -> str:
    """Return the counts of verdicts, a row per case, the reasons of verdicts that do not pass, and lost subgroups.

    Long lists are shortened and state how many entries are left out.

    Args:
        comparison: Comparison of the cases.
        means: Case and metric → mean with its interval.
        unread: Errors on numbers that could not be read.
    """
    info = comparison.info
    counts = Counter(row.status for row in comparison.rows)
    head = ", ".join(f"{n} {status}" for status, n in counts.most_common()) or "no case was run"
    named = info.tier if info.name is None else f"{_name(info.name)} ({info.tier})"
    parts = [f"### btlib {named}: {head}", ""]
    parts += [f"> **{PHANTOM_NOTE}**", ""] if info.task.synthetic else []
    shown = _shown(info.task, comparison.rows)
    rows = [_row(row, means, shown) for row in comparison.rows[:_ROWS]]
    parts += [tabulate(rows, "keys", "github", disable_numparse=True), ""] if rows else []
    more = len(comparison.rows) - _ROWS
    parts += [f"… and {more} more cases: see `comparison.md`.", ""] if more > 0 else []
    parts += [f"- not measured: {', '.join(map(_name, comparison.missing))}"] if comparison.missing else []
    parts += _few([f"- seeds: {_plain(_cut(line))}" for line in comparison.stages()], "numbers of seeds")
    lost = [f"- could not be read: {_plain(_cut(problem))}" for problem in unread]
    return "\n".join([*parts, *_few(lost, "unreadable files"), *_reasons(comparison), f"- {_plain(info.data)}", ""])


def _row(row: Row, means: Mapping[tuple[str, str], Mean], shown: Mapping[str, str]) -> dict[str, str]:
    known = [v for v in row.verdicts if v.difference is not None]
    changes = [
        f"{_name(v.metric)} {v.difference:+.{v.decimals}f} ({interval(v.low, v.high, v.decimals)}){_against(v)}"
        for v in known
    ]
    return {
        "case": with_title(row.case, row.title, _name),
        "verdict": row.status,
        **{title: _value(row, metric, means) for metric, title in shown.items()},
        "difference from the baseline": "; ".join(changes) or "–",
    }


def _shown(task: Task, rows: Sequence[Row]) -> dict[str, str]:
    """Return the metrics of the table and their titles; Dice per volume comes first where the task has volumes."""
    has_volumes = any(row.values.get("dice_volume") is not None for row in rows)
    main = {"dice_volume": "Dice per volume"} if has_volumes and task.has_images else {}
    main |= {"dice": "Dice", "accuracy": "accuracy"} if task.has_images else {}
    return main | {score.name: score.name for score in task.scores}


def _against(verdict: Verdict) -> str:
    return "" if verdict.reference is None else f" compared with {_name(verdict.reference)}"


def _value(row: Row, metric: str, means: Mapping[tuple[str, str], Mean]) -> str:
    value, mean = row.values.get(metric), means.get((row.case, metric))
    judged = next((v.decimals for v in row.verdicts if v.metric == metric), None)
    digits = decimals(None, [value]) if judged is None else judged
    return number(value, f".{digits}f") + (
        f" ({mean.low:.{digits}f} … {mean.high:.{digits}f})" if mean and value is not None else ""
    )


def _reasons(comparison: Comparison) -> list[str]:
    by_reason: dict[str, list[Verdict]] = {}

    def whose(found: Sequence[Verdict]) -> str:
        return ", ".join(f"{_name(v.case)} {_name(v.metric)}" for v in found)

    for verdict in (v for row in comparison.rows for v in row.verdicts if v.status not in HOLDS and v.reason):
        by_reason.setdefault(verdict.reason.splitlines()[0], []).append(verdict)
    lines = [f"- {whose(found)} ({found[0].status}): {_plain(_cut(reason))}" for reason, found in by_reason.items()]
    lines += [f"- {_plain(_cut(line))}" for row in comparison.rows for line in warning_lines(row.verdicts)]
    return _few(lines, "reasons")


def _few(lines: list[str], what: str) -> list[str]:
    return lines[:_REASONS] + ([f"- … and {len(lines) - _REASONS} more {what}"] if len(lines) > _REASONS else [])


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"


def _name(text: str) -> str:
    return markdown(shortened(visible(text), _COLUMNS))


def _plain(text: str) -> str:
    """Return a text on one line, escaped for Markdown."""
    return in_markdown(" ".join(text.split()))
