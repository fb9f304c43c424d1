"""A run of three cases with a baseline that knows two of them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from btlib import Baseline
from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation import summarise
from btlib.gate import judgement as module
from btlib.gate.verdict import Verdict
from btlib.results import CaseResult, Conditions
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.sample_table import SampleTable
from tests.gate.judgement.steps import SEEDS, Counted, Make, Table


@pytest.fixture
def record(conditions: Conditions) -> Make:
    """The record of a cell with numbers; of one that failed without."""

    def make(case: str, table: SampleTable | None, seed: int = 1, **fields: Any) -> CaseRecord:
        usual: dict[str, Any] = {
            "title": f"case {case}",
            "tier": "smoke",
            "metrics": {"dice": 1, "accuracy": 1},
            "outcome": "done" if table else "error",
            "error": None if table else "out of luck",
            "conditions": conditions,
            "samples": table,
            "summary": summarise(table) if table else None,
            "seconds": 1.0,
            "environment": {},
            "created": "now",
        }
        return CaseRecord(case=case, seed=seed, **usual | fields)

    return make


@pytest.fixture
def baseline(measured_baseline: Callable[..., Baseline], make_table: Table) -> Baseline:
    """Of X, Y and Z, which are alike."""
    one = measured_baseline(make_table(wrong=2), make_table(wrong=3), margin=0.1)
    return one.model_copy(update={"cases": dict.fromkeys("XYZ", one.cases["X"])})


@pytest.fixture
def store(tmp_path: Path, record: Make, make_table: Table, baseline: Baseline) -> RunStore:
    """X as good as its baseline and Y worse, each with two seeds; N, which the baseline does not know."""
    baseline.save(tmp_path / "known.json")
    store = RunStore(tmp_path / "run")
    store.save_info(
        RunInfo(
            **{"tier": "smoke", "command": "pytest", "baseline": str(tmp_path / "known.json"), "task": PHANTOM},
            **{"data": "60 samples", "started": "now", "cases": ["X", "Y", "N"], "seeds": SEEDS},
            image_size=32,
        )
    )
    for case, wrong in {"X": 2, "Y": 30, "N": 4}.items():
        for seed in SEEDS:
            store.save_record(record(case, make_table(wrong=wrong + seed - 1), seed))
    return store


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """How often each case was held against the baseline."""
    counts: Counted = Counter()
    for name in ("judge_with", "judge_new"):
        real = getattr(module, name)

        def spied(result: CaseResult, *args: Any, real: Any = real, **more: Any) -> tuple[Verdict, ...]:
            counts[result.case] += 1
            return tuple(real(result, *args, **more))

        monkeypatch.setattr(module, name, spied)
    return counts


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw figures takes most of a page's time, and no verdict is made there."""
    monkeypatch.setattr("btlib.reporting.html.write.figures", lambda *what: ())
    monkeypatch.setattr("btlib.reporting.figures.significance_matrix", lambda *what: None)
