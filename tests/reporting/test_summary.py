"""The run in a few lines: counts, a line a case, and why some do not hold; what is cut says so."""

from collections.abc import Callable
from typing import Any

import pytest

from btlib.data.sources.tasks import FIGSHARE
from btlib.gate import Verdict
from btlib.reporting import Comparison, Row
from btlib.reporting.intervals import Mean
from btlib.reporting.summary import summary
from btlib.runs import RunInfo

from .cells import rows


@pytest.fixture
def row() -> Callable[..., Row]:
    def make(case: str, status: str = "pass", *verdicts: Verdict, **values: float | None) -> Row:
        known = {"dice": None, "accuracy": None} | values
        return Row(case, f"title of {case}", status, verdicts, known, (1,), {}, None, 1.0, "loaded", ())

    return make


def lost(case: str, metric: str = "dice", status: Any = "regressed", reason: str = "fell") -> Verdict:
    return Verdict(case, metric, status, reason, 0.5, 0.7, 0.02, -0.2, -0.3, -0.1)


def test_a_line_a_case_with_its_change(row: Callable[..., Row], info: RunInfo):
    new = Verdict("N", "accuracy", "improved", "", 0.9, 0.8, 0.02, 0.1, 0.05, 0.15, reference="Z")
    undecided = Verdict("B", "accuracy", "missing-baseline", "none")
    found = (
        row("B", "regressed", lost("B"), undecided, dice=0.5, accuracy=0.75),
        row("N", "improved", new, accuracy=0.9),
        row("C", "error"),
    )
    means = {("B", "dice"): Mean(0.5, 0.4, 0.625), ("N", "dice"): Mean(0.1, 0.0, 0.2)}
    text = summary(Comparison(info, found), means)
    assert text.startswith("### btlib smoke: 1 regressed, 1 improved, 1 error\n")
    assert rows(text) == [
        {
            "case": "B title of B",
            "verdict": "regressed",
            "Dice": "0.5000 (0.4000 … 0.6250)",
            "accuracy": "0.7500",
            "difference from the baseline": "dice -0.2000 (-0.3000 … -0.1000)",
        },
        {
            "case": "N title of N",
            "verdict": "improved",
            "Dice": "–",
            "accuracy": "0.9000",
            "difference from the baseline": "accuracy +0.1000 (+0.0500 … +0.1500) compared with Z",
        },
        {
            "case": "C title of C",
            "verdict": "error",
            "Dice": "–",
            "accuracy": "–",
            "difference from the baseline": "–",
        },
    ]


def test_the_most_frequent_status_comes_first(row: Callable[..., Row], info: RunInfo):
    found = tuple(row(f"C{i}", status) for i, status in enumerate(("error", "pass", "pass", "improved", "pass")))
    assert "smoke: 3 pass, 1 error, 1 improved" in summary(Comparison(info, found), {})
    assert "smoke: no case was run" in summary(Comparison(info, ()), {})


@pytest.mark.parametrize(("n", "shown", "more"), [(20, 20, None), (21, 20, 1), (33, 20, 13)])
def test_the_first_twenty_cases_are_shown(row: Callable[..., Row], info: RunInfo, n: int, shown: int, more: int | None):
    text = summary(Comparison(info, tuple(row(f"C{i}") for i in range(n))), {})
    assert [one["case"] for one in rows(text)] == [f"C{i} title of C{i}" for i in range(shown)]
    assert ("more cases" in text) == (more is not None)
    assert more is None or f"… and {more} more cases: see `comparison.md`." in text


def test_reasons_stand_once_with_all_that_they_hold_for(row: Callable[..., Row], info: RunInfo):
    found = (
        row("A", "error", lost("A", "dice", "error", "crashed\nin line 7"), lost("A", "accuracy", "error", "crashed")),
        row("B", "pass", lost("B", status="pass", reason="holds, though the images differ")),
        row("D", "inconclusive", lost("D", status="inconclusive", reason="too few *samples*")),
        row("E", "regressed", lost("E", reason="")),
        row("F", "measured", lost("F", status="measured", reason="not compared")),
    )
    text = summary(Comparison(info, found), {})
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- A dice, A accuracy (error): crashed",
        r"- D dice (inconclusive): too few \*samples\*",
        "- 60 samples",
    ]


@pytest.mark.parametrize(("n", "more"), [(8, 0), (9, 1), (12, 4)])
def test_eight_reasons_are_shown(row: Callable[..., Row], info: RunInfo, n: int, more: int):
    found = tuple(row(f"C{i}", "regressed", lost(f"C{i}", reason=f"reason {i}")) for i in range(n))
    unread = [f"file {i}" for i in range(n)]
    lines = summary(Comparison(info, found), {}, unread).splitlines()
    reasons = [line for line in lines if "(regressed)" in line]
    assert reasons == [f"- C{i} dice (regressed): reason {i}" for i in range(8)]
    assert [line for line in lines if "could not be read" in line] == [
        f"- could not be read: file {i}" for i in range(8)
    ]
    assert [line for line in lines if "… and" in line] == (
        [f"- … and {more} more unreadable files", f"- … and {more} more reasons"] if more else []
    )


def test_long_reasons_are_cut(row: Callable[..., Row], info: RunInfo):
    for length, shown in ((200, "x" * 200), (201, "x" * 199 + "…")):
        text = summary(Comparison(info, (row("A", "error", lost("A", status="error", reason="x" * length)),)), {})
        assert f"- A dice (error): {shown}\n" in text


def test_what_is_missing_and_what_is_phantom(row: Callable[..., Row], info: RunInfo):
    text = summary(Comparison(info, (row("A"),), missing=("B", "C_")), {})
    assert r"- not measured: B, C\_" in text
    assert "> **PHANTOM DATA" in text
    real = summary(Comparison(info.model_copy(update={"task": FIGSHARE}), (row("A"),)), {})
    assert "PHANTOM" not in real
    assert "not measured" not in real
