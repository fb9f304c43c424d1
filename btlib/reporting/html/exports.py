"""Machine-readable exports of the page: `report.json`, `per_sample.csv` and `figures/*.svg`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from btlib import files
from btlib.csv_text import csv_text
from btlib.evaluation.catalogue import METRICS
from btlib.evaluation.subgroup import SIZES, size_of
from btlib.metrics.calibration import confidence_bins
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.figures import Drawn
from btlib.reporting.html.gallery import Gallery
from btlib.reporting.html.page import Page
from btlib.reporting.html.rows import ranks
from btlib.reporting.intervals import Mean

SCHEMA = "btlib-report/2"
CSV_SCHEMA = "btlib-per-sample/1"


def write_figures(drawn: Sequence[Drawn], folder: Path) -> None:
    """Write every figure as a file and remove figures of an earlier report that no longer exist."""
    current = {f"{figure.name}.svg" for figure in drawn}
    for figure in drawn:
        files.write_text(folder / f"{figure.name}.svg", figure.svg)
    for path in folder.glob("*.svg"):
        if path.name not in current:
            path.unlink()


def write_per_sample(entries: Sequence[Entry], path: Path) -> None:
    """Write one row per case, seed and sample: all columns of the sample table, with the schema in the first column."""
    import pandas as pd

    frames = []
    for entry in entries:
        for run in entry.result.runs:
            table = run.samples
            frame = table.to_frame()
            for name in METRICS.of_table(table):
                if METRICS[name].level == "sample" and METRICS[name].needs == "mask" and name not in frame:
                    frame[name] = METRICS[name].of(table)
            for name in ("label", "predicted"):
                if name in frame:
                    frame[name] = [table.classes[k] for k in frame[name]]
            if table.structures:
                frame["size"] = [SIZES[k] for k in size_of(table)]
            frames.append(frame.assign(schema=CSV_SCHEMA, case=entry.row.case, seed=run.seed))
    complete = pd.concat(frames) if frames else pd.DataFrame({"schema": [], "case": [], "seed": [], "id": []})
    first = ["schema", "case", "seed", "id"]
    files.write_text(path, csv_text(complete[[*first, *(c for c in complete if c not in first)]]))


def write_numbers(page: Page, path: Path) -> None:
    """Write numbers that are not in `comparison.json` or `significance.json`: intervals, ranks, curves, samples."""
    places = ranks(page.entries)
    value = {
        "schema": SCHEMA,
        "cases": [_case(entry, page.means, places, page.gallery) for entry in page.entries],
        "figures": [f"figures/{figure.name}.svg" for figure in page.figures],
        "problems": list(page.problems),
    }
    files.write_json(path, value)


def _case(
    entry: Entry, means: Mapping[tuple[str, str], Mean], places: Mapping[tuple[str, str], int], shown: Gallery
) -> dict[str, Any]:
    return {
        "case": entry.row.case,
        "means": {metric: asdict(mean) for (label, metric), mean in means.items() if label == entry.label},
        "ranks": {metric: place for (label, metric), place in places.items() if label == entry.label},
        "seeds": [
            {
                "seed": record.seed,
                "summary": record.summary,
                "threshold_curve": record.threshold_curve.model_dump() if record.threshold_curve else None,
            }
            for record in entry.records
        ],
        "calibration": _calibration(entry),
        "samples": [
            {
                **{"id": t.id, "kinds": list(t.kinds), "dice": t.dice, "change": t.change},
                **({"mass": t.map.mass, "chance": t.map.chance} if t.map else {}),
            }
            for t in shown.tiles
            if t.entry is entry
        ],
    }


def _calibration(entry: Entry) -> dict[str, list[float]] | None:
    if not (entry.result.runs and entry.result.samples.has_classes):
        return None
    table = entry.result.samples
    bins = confidence_bins(table.class_prob, table.labels)
    return {name: values.tolist() for name, values in vars(bins).items()}
