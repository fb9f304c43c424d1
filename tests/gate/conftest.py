from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.schema import Baseline
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import SampleTable

from ..runs.conftest import data, dataset, finished_run, folder, make_case, split, work  # runs to be accepted
from ..spreads import SMALL, known_spread

__all__ = ["data", "dataset", "finished_run", "folder", "make_case", "split", "work"]


@pytest.fixture
def changed() -> Callable[..., SampleTable]:
    """A table with other fields, or other columns by their names (a slash turned into two underscores)."""

    def change(table: SampleTable, **fields: Any) -> SampleTable:
        columns = {name.replace("__", "/"): values for name, values in fields.items() if "__" in name}
        rest = {name: values for name, values in fields.items() if "__" not in name}
        return SampleTable(**table.model_dump() | rest | {"columns": table.columns | columns})

    return change


@pytest.fixture
def reordered() -> Callable[[SampleTable, Sequence[int]], SampleTable]:
    """A table with its rows in another order, by their positions."""

    def reorder(table: SampleTable, order: Sequence[int]) -> SampleTable:
        def moved(values: list[Any] | None) -> list[Any] | None:
            return values and [values[i] for i in order]

        rows = {name: moved(getattr(table, name)) for name in ("id", "label", "patient", "volume")}
        columns = {name: moved(values) for name, values in table.columns.items()}
        return SampleTable(**table.model_dump() | rows | {"columns": columns})

    return reorder


@pytest.fixture
def measured(conditions: Conditions) -> Callable[..., CaseResult]:
    """The case "X" measured with one seed a table, under the given conditions or the usual ones."""

    def make(*tables: SampleTable, case: str = "X", under: Conditions = conditions, **more: Any) -> CaseResult:
        runs = tuple(SeedRun(seed=42 + i, fingerprint=None, samples=table) for i, table in enumerate(tables))
        return CaseResult(case, "a case", under, {"dice": 1, "accuracy": 1}, runs, **more)

    return make


@pytest.fixture
def measured_baseline(make_table: Callable[..., SampleTable], conditions: Conditions) -> Callable[..., Baseline]:
    """A measured baseline of one case "X" over the given tables, one a seed, or the usual one.

    The case stores a spread between trainings that is known and small, so that one training can be judged; None stores
    none.
    """

    def make(*tables: SampleTable, margin: float = 0.02, spread: float | None = SMALL, **changes: Any) -> Baseline:
        tables = tables or (make_table(),)
        means = {
            "dice": np.mean([per_sample(table, "dice").mean() for table in tables]),
            "accuracy": np.mean([table.correct().mean() for table in tables]),
        }
        figures = [
            ReferenceValue(metric=m, value=round(float(v), 6), aggregation="slice-mean", margin=margin, source="test")
            for m, v in means.items()
        ]
        runs = [SeedRun(seed=42 + i, fingerprint=None, samples=table) for i, table in enumerate(tables)]
        whole: dict[str, Any] = {
            "name": "made",
            "kind": "measured",
            "title": "made for a test",
            "source": "test",
            "created": "2026-01-01",
            "reason": "test",
            "conditions": conditions,
            "cases": {
                "X": BaselineCase(title="a case", figures=figures, runs=runs, spread=known_spread(spread, *means))
            },
        }
        return Baseline(**whole | changes)

    return make


@pytest.fixture
def published_baseline(conditions: Conditions) -> Callable[..., Baseline]:
    """A published baseline of one case "X" with one figure, and a spread between trainings as `measured_baseline`."""

    def make(under: Conditions = conditions, *, spread: float | None = SMALL, **figure: Any) -> Baseline:
        one = ReferenceValue(
            **{"metric": "dice", "value": 0.9, "aggregation": "slice-mean", "margin": 0.02, "source": "paper"} | figure
        )
        return Baseline(
            name="paper",
            kind="published",
            title="a paper",
            source="paper",
            created="2025",
            reason="test",
            conditions=under,
            cases={"X": BaselineCase(title="a case", figures=[one], spread=known_spread(spread, one.metric))},
        )

    return make


@pytest.fixture
def distances(
    make_table: Callable[..., SampleTable], changed: Callable[..., SampleTable]
) -> Callable[..., SampleTable]:
    """A table of sixty samples whose HD95 is `mean` + 0, 1, 2, 3, 4 px in turn, and worse by `by` in every third."""

    def make(mean: float, by: float = 0.0) -> SampleTable:
        values = [mean - 2 + k % 5 + (by if k % 3 == 0 else 0) for k in range(60)]
        rest = dict.fromkeys(("tumour__surface_dice_1px", "tumour__surface_dice_2px"), [0.5] * 60)
        return changed(make_table(), tumour__hd95=values, **rest)

    return make


@pytest.fixture
def distance_baseline(measured_baseline: Callable[..., Baseline]) -> Callable[..., Baseline]:
    """A baseline of the case "X" (or of several cases, by name) that is gated by HD95 alone."""

    def make(*tables: SampleTable, margin: float = 1.0, spread: float | None = 0.1, **cases: SampleTable) -> Baseline:
        def case(*runs: SampleTable) -> BaselineCase:
            mean = float(np.mean([per_sample(table, "hd95").mean() for table in runs]))
            figure = ReferenceValue(
                metric="hd95", value=mean, aggregation="slice-mean", margin=margin, unit="px", source="test"
            )
            known = measured_baseline(*runs).cases["X"]
            return known.model_copy(update={"figures": [figure], "spread": known_spread(spread, "hd95")})

        given = {name: case(table) for name, table in cases.items()}
        return measured_baseline(cases=given | ({"X": case(*tables)} if tables else {}))

    return make


@pytest.fixture
def measured_distances(measured: Callable[..., CaseResult]) -> Callable[..., CaseResult]:
    """A measured case whose only metric is HD95."""

    def make(*tables: SampleTable, **more: Any) -> CaseResult:
        return replace(measured(*tables, **more), metrics={"hd95": METRICS["hd95"].version})

    return make
