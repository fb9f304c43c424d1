"""Speed figures of a run: `speed.md` and `speed.csv`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from btlib import files
from btlib.csv_text import csv_text
from btlib.reporting.names import in_markdown
from btlib.runs.speed import Speed, Timing

_HEAD = """# Speed

Images/s of the median call, and its ratio to the speed reference of the case, with the 95 % interval of the ratio over
turns. Case and reference were measured in turns A B B A. A case without a reference has no ratio. The ceiling is the
fastest matrix product that was measured on this machine in the same precision.
"""


def write_speed(speeds: Mapping[str, Speed], noise: Timing | None, folder: Path) -> Path | None:
    """Write the speed tables of a run and return the Markdown file; None if no speed was measured."""
    rows = [_row(speed, name) for speed in speeds.values() for name in speed.figures]
    if not rows:
        return None
    cells = [
        {title: _cell(value, form) for title, (value, form) in row.items()} | {"case": in_markdown(row["case"][0])}
        for row in rows
    ]
    lines = [_HEAD, noise_line(noise), "", tabulate(cells, "keys", "github", disable_numparse=True), ""]
    files.write_text(folder / "speed.md", "\n".join(lines))
    files.write_text(folder / "speed.csv", csv_text([{k: v for k, (v, _) in row.items()} for row in rows]))
    return folder / "speed.md"


def noise_line(noise: Timing | None) -> str:
    """Return a line on the null run."""
    found = noise.speedup if noise else None
    if found is None:
        return "The noise floor was not measured."
    return (
        f"Noise floor: the reference, compared with itself, is {found.value:.3f} times as fast "
        f"({found.low:.3f} … {found.high:.3f}, {found.turns} turns)."
    )


def _row(speed: Speed, name: str) -> dict[str, tuple[Any, str]]:
    timing = speed.figures[name]
    p50, p95 = timing.latency
    throughput = timing.throughput
    return {
        "case": (speed.case, ""),
        "figure": (name, ""),
        "engine": (timing.engine, ""),
        "precision": (timing.precision, ""),
        "images/s": (throughput.images_per_second, ".1f"),
        "× reference": (throughput.ratio, ".2f"),
        "low": (throughput.low, ".2f"),
        "high": (throughput.high, ".2f"),
        "calls": (len(timing.seconds), "d"),
        "p50 [ms]": (1000 * p50, ".1f"),
        "p95 [ms]": (1000 * p95, ".1f"),
        "MiB": (timing.peak_memory_mib, ".0f"),
        "reference": (throughput.reference, ""),
        "reference MiB": (timing.reference_peak_memory_mib, ".0f"),
        "device MiB": (timing.device_memory_mib, ".0f"),
        "J/image": (timing.joules_per_image, ".3f"),
        "GFLOP/image": (timing.gflop_per_image, ".2f"),
        "of ceiling": (speed.share_of_ceiling(name), ".0%"),
    }


def _cell(value: Any, form: str) -> str:
    return "–" if value is None else format(value, form)
