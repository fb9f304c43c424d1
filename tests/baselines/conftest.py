from collections.abc import Callable
from typing import Any

import pytest

from btlib.baselines.schema import SCHEMA, Baseline, BaselineCase, BaselineRun, Conditions, Figure
from btlib.slice_table import SliceTable

CONDITIONS = Conditions(
    origin="phantom",
    dataset_fingerprint="d1",
    split_name="slice-seed42",
    split_fingerprint="s1",
    n_test=60,
    test_class_counts=[20, 20, 20],
    image_size=32,
    scaling="thesis",
    threshold=0.65,
    epsilon=1e-6,
)


@pytest.fixture
def conditions() -> Conditions:
    return CONDITIONS


@pytest.fixture
def measured_baseline(make_table: Callable[..., SliceTable]) -> Callable[..., Baseline]:
    """A measured baseline of one case "X" over the given table, or the usual one."""

    def make(table: SliceTable | None = None, margin: float = 0.02, **changes: Any) -> Baseline:
        table = table or make_table()
        figures = [
            Figure(metric=m, value=round(float(v.mean()), 6), aggregation="slice-mean", margin=margin, source="test")
            for m, v in (("dice", table.dice()), ("accuracy", table.correct()))
        ]
        run = BaselineRun(seed=42, fingerprint=None, slices=table)
        whole: dict[str, Any] = {
            "schema": SCHEMA,
            "name": "made",
            "kind": "measured",
            "title": "made for a test",
            "source": "test",
            "created": "2026-01-01",
            "reason": "test",
            "conditions": CONDITIONS,
            "cases": {"X": BaselineCase(title="a case", figures=figures, runs=[run])},
        }
        return Baseline(**whole | changes)

    return make


@pytest.fixture
def published_baseline() -> Callable[..., Baseline]:
    """A published baseline of one case "X" with one figure."""

    def make(conditions: Conditions = CONDITIONS, **figure: Any) -> Baseline:
        one = Figure(
            **{"metric": "dice", "value": 0.9, "aggregation": "slice-mean", "margin": 0.02, "source": "paper"} | figure
        )
        return Baseline(
            schema=SCHEMA,
            name="paper",
            kind="published",
            title="a paper",
            source="paper",
            created="2025",
            reason="test",
            conditions=conditions,
            cases={"X": BaselineCase(title="a case", figures=[one])},
        )

    return make
