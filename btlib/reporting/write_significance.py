"""Significance report of a run: `significance.{md,csv,json}` and a matrix of all pairs, `significance.svg`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from btlib import files
from btlib.csv_text import csv_text
from btlib.reporting.significance import ALL_PAIRS, FAMILIES, MARGIN, PairTest, one_training_note, pair_tests
from btlib.reporting.significance_table import significance_table
from btlib.reporting.text import PHANTOM_NOTE
from btlib.results import CaseResult

SCHEMA = "btlib-significance/2"

_HEAD = f"""Mean of first − second over the same samples, with a bootstrap interval. p is the larger of two: that of
sign flips, which test that differences are symmetric about 0, and that of a t corrected for skewness, which tests that
their mean is 0. All of them take patients as a whole, or samples if patients are unknown. If one side fails in only a
few of the patients (fewer than about 5), even this p is too small: see `btlib.stats.mean_test`. "≤" marks the least p
that random flips can give. "Holm p" is corrected for all tests of its table. McNemar's exact p treats samples as
independent. Effect: d_z for Dice; for accuracy, the odds ratio of the samples on which only one of the two cases is
right. "Within ±{MARGIN:g}" is two one-sided tests at 5 %."""


def write_significance(results: Sequence[CaseResult], folder: Path) -> Path | None:
    """Test all pairs of cases and write the report into a run's folder.

    Args:
        results: Cases of a run that have numbers.
        folder: Folder of the run.

    Returns:
        The Markdown file; None, and no file is written, if there are fewer than two cases to compare.

    Raises:
        RecordError: The cases were measured under different conditions.
        StatsError: There are fewer than two patients.
    """
    tests = pair_tests(results) if len(results) > 1 else ()
    if not tests:
        return None
    rows = [asdict(test) for test in tests]
    files.write_json(folder / "significance.json", {"schema": SCHEMA, "tests": rows})
    files.write_text(folder / "significance.csv", csv_text(rows))
    _draw(tests, folder)
    files.write_text(folder / "significance.md", _markdown(tests, results))
    return folder / "significance.md"


def _draw(tests: Sequence[PairTest], folder: Path) -> None:
    from btlib.reporting.figures import significance_matrix

    significance_matrix([test for test in tests if test.family == ALL_PAIRS], folder / "significance.svg")


def _markdown(tests: Sequence[PairTest], results: Sequence[CaseResult]) -> str:
    units = f"{tests[0].n} samples of {tests[0].n_units} {tests[0].unit}s"
    parts = ["# Significance", ""]
    if results[0].conditions.task.synthetic:
        parts += [f"**{PHANTOM_NOTE}**", ""]
    parts += [f"- {units}; seeds: {', '.join(map(str, results[0].seeds))}"]
    notes = filter(None, [one_training_note(results), results[0].caveat])
    parts += [*(f"- {note}" for note in notes), "", _HEAD, ""]
    for family, title in {**{name: FAMILIES[name].title for name in FAMILIES}, ALL_PAIRS: "All pairs"}.items():
        chosen = [test for test in tests if test.family == family]
        if chosen:
            parts += [f"## {title}: {len(chosen)} tests", "", significance_table(chosen, "github"), ""]
    return "\n".join([*parts, "![All pairs](significance.svg)", ""])
