from collections.abc import Callable

import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation import summarise
from btlib.evaluation.aggregate import per_sample
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.gate.schema import Baseline
from btlib.results import Conditions, SeedRun
from btlib.runs import CaseRecord, ModelInfo, RunInfo
from btlib.sample_table import SampleTable

from ..spreads import with_spread


@pytest.fixture
def info() -> RunInfo:
    return RunInfo(tier="smoke", command="pytest x", baseline="b.json", task=PHANTOM, data="60 samples", started="now")


@pytest.fixture
def record(conditions: Conditions) -> Callable[..., CaseRecord]:
    """The record of a case that was measured, or that failed."""

    def make(case: str, slices: SampleTable | None, error: str | None = None, seed: int = 1) -> CaseRecord:
        model = ModelInfo(source="loaded", fingerprint=None, seconds=0.0, details={}, notes=["from scratch"])
        metrics = {"dice": 1} if slices and not slices.has_classes else {"dice": 1, "accuracy": 1}
        return CaseRecord(
            case=case,
            title=f"case {case}",
            tier="smoke",
            seed=seed,
            metrics=metrics,
            outcome="error" if error else "done",
            error=error,
            conditions=conditions,
            samples=slices,
            summary=summarise(slices) if slices else None,
            seconds=1.5,
            model=None if error else model,
            environment={},
            created="now",
        )

    return make


@pytest.fixture
def baseline_of(conditions: Conditions) -> Callable[..., Baseline]:
    """A measured baseline in which the named cases all have the same numbers, and a small spread between trainings."""

    def make(slices: SampleTable, *cases: str) -> Baseline:
        figures = [
            ReferenceValue(
                metric=m, value=round(float(v.mean()), 6), aggregation="slice-mean", margin=0.02, source="test"
            )
            for m, v in (("dice", per_sample(slices, "dice")), ("accuracy", slices.correct()))
        ]
        case = BaselineCase(title="t", figures=figures, runs=[SeedRun(seed=1, fingerprint=None, samples=slices)])
        return with_spread(
            Baseline(
                name="b",
                kind="measured",
                title="t",
                source="s",
                created="2026",
                reason="r",
                conditions=conditions,
                cases=dict.fromkeys(cases, case),
            )
        )

    return make
