"""Comparison as a table for the terminal and as Markdown, CSV and JSON files."""

from dataclasses import asdict
from pathlib import Path

from tabulate import tabulate

from btlib import files
from btlib.csv_text import csv_text
from btlib.evaluation.catalogue import metrics_of
from btlib.gate import Verdict
from btlib.reporting.columns import COLUMNS, TableColumn
from btlib.reporting.comparison import Comparison, Row
from btlib.reporting.metric_columns import MetricColumn, distinct, metric_columns
from btlib.reporting.names import Naming, code, in_markdown, naming, with_title
from btlib.reporting.numbers import number
from btlib.reporting.ranking_table import ranking_section
from btlib.reporting.subgroup_table import subgroup_section
from btlib.reporting.text import PHANTOM_NOTE
from btlib.reporting.verdicts import GATE_NOTE, verdict_table
from btlib.runs.throughput import Throughput

SCHEMA = "btlib-comparison/2"


_OTHER_KEYS = ("case", "title", "status", "seeds", "peak_memory_mib", "seconds", "source")


def table(comparison: Comparison, style: str = "simple") -> str:
    """Return a table with one row per case, in a format of `tabulate`."""
    figures = _figures(comparison)
    every = (*comparison.rows, *comparison.references)
    columns = metric_columns(every, metrics_of(comparison.info.task))
    rows = [_cells(row, columns, figures, naming(style)) for row in every]
    headers = {name: name.replace(", ", "\n").replace(" [", "\n[") for name in rows[0]} if style == "simple" else "keys"
    return tabulate(rows, headers=headers, tablefmt=style, disable_numparse=True)


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write `comparison.md`, `.csv` and `.json` into a run's folder and return the Markdown file."""
    figures = _figures(comparison)
    frame = [_flat(row, figures) for row in (*comparison.rows, *comparison.references)]
    files.write_json(
        folder / "comparison.json",
        {
            "schema": SCHEMA,
            "run": comparison.info.model_dump(),
            "cases": [_plain(row) for row in comparison.rows],
            "references": [_plain(row) for row in comparison.references],
            "missing": list(comparison.missing),
            "rankings": [asdict(ranking) for ranking in comparison.rankings],
        },
    )
    files.write_text(folder / "comparison.csv", csv_text(frame))
    files.write_text(folder / "comparison.md", _markdown(comparison))
    return folder / "comparison.md"


def _figures(comparison: Comparison) -> list[str]:
    rows = (*comparison.rows, *comparison.references)
    return sorted({name for row in rows for name in row.speeds}, key=lambda n: (n.split(",")[0], len(n), n))


def _cells(row: Row, columns: list[MetricColumn], figures: list[str], name: Naming) -> dict[str, str]:
    return {
        "case": with_title(row.case, row.title, name),
        "verdict": row.status,
        **{_heading(column, name): number(row.values.get(column.metric), column.form) for column in columns},
        **{f"{name} [img/s]": _speed(row.speeds.get(name)) for name in figures},
        **{_heading(COLUMNS[own], name): name(COLUMNS[own].text(row.own.get(own))) for own in COLUMNS},
        "seconds": number(row.seconds, ".1f"),
        "model": row.source,
    }


def _heading(column: MetricColumn | TableColumn, name: Naming) -> str:
    """Return title and unit of a column; the title may contain the name of a structure."""
    return f"{name(column.title)} [{column.unit}]" if column.unit else name(column.title)


def _speed(throughput: Throughput | None) -> str:
    """Return images/s and, in brackets, the ratio to the speed reference."""
    if throughput is None:
        return "–"
    return number(throughput.images_per_second, ".1f") + (
        "" if throughput.ratio is None else f" ({throughput.ratio:.1f}×)"
    )


def _plain(row: Row) -> dict[str, object]:
    return asdict(row) | {"speeds": {name: throughput.model_dump() for name, throughput in row.speeds.items()}}


def _flat(row: Row, figures: list[str]) -> dict[str, object]:
    gate = {
        f"{v.metric}_{key}": getattr(v, key)
        for v in row.verdicts
        for key in ("status", "baseline", "margin", "difference", "low", "high", "method", "seeds", "baseline_seeds")
    }
    speeds = {
        f"{name} [{unit}]": getattr(row.speeds.get(name), key, None)
        for name in figures
        for unit, key in (("img/s", "images_per_second"), ("x reference", "ratio"))
    }
    return {
        "case": row.case,
        "title": row.title,
        "status": row.status,
        **{distinct(name, _OTHER_KEYS): value for name, value in row.values.items()},
        **speeds,
        **row.own,
        "seeds": " ".join(map(str, row.seeds)),
        "peak_memory_mib": row.peak_memory_mib,
        "seconds": row.seconds,
        "source": row.source,
        **gate,
    }


def _markdown(comparison: Comparison) -> str:
    info = comparison.info
    named = info.tier if info.name is None else f"{in_markdown(info.name)} ({info.tier})"
    head = [f"# Comparison: {named}, baseline {in_markdown(info.baseline)}", ""]
    if info.task.synthetic:
        head += [f"**{PHANTOM_NOTE}**", ""]
    head += [f"- data: {in_markdown(info.data)}", f"- command: {code(info.command)}", f"- started: {info.started}"]
    head += [*(f"- seeds: {in_markdown(line)}" for line in comparison.stages()), ""]
    gate = [v for row in comparison.rows for v in row.verdicts]
    reasons = _reasons(gate)
    notes = [f"- **{in_markdown(row.case)}**: {in_markdown(note)}" for row in comparison.rows for note in row.notes]
    notes += [f"- **{in_markdown(case)}**: was selected for this run but has no record" for case in comparison.missing]
    parts = [
        *head,
        table(comparison, "github"),
        "",
        "## Gate",
        "",
        verdict_table(gate, "github"),
    ]
    parts += ["", GATE_NOTE, *_stepped(comparison)]
    parts += ["", *reasons] if reasons else []
    parts += subgroup_section(gate)
    parts += ranking_section(comparison.rankings)
    parts += ["", "## Notes", "", *notes] if notes else []
    return "\n".join(parts) + "\n"


def _stepped(comparison: Comparison) -> list[str]:
    """Return a line on suspected losses that are beyond chance once the regressions are taken as true; may be empty."""
    found = ", ".join(f"{in_markdown(v.case)} {in_markdown(v.metric)}" for v in comparison.stepped())
    return [f"- Holm's step-down over the whole suite also rejects: {found}."] if found else []


def _reasons(gate: list[Verdict]) -> list[str]:
    """Return each reason once, with all verdicts that have it."""
    by_reason: dict[str, list[Verdict]] = {}
    for verdict in gate:
        if verdict.reason.strip():
            by_reason.setdefault(verdict.reason, []).append(verdict)
    lines = []
    for reason, verdicts in by_reason.items():
        whose = ", ".join(f"{in_markdown(v.case)} {in_markdown(v.metric)} ({v.status})" for v in verdicts)
        first, *rest = (in_markdown(line) for line in reason.splitlines() if line.strip())
        lines += [f"- **{whose}**: {first}", *(f"    - {line}" for line in rest)]
    return lines
