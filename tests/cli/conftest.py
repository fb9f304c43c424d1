from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation import summarise
from btlib.results import Conditions
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.sample_table import SampleTable


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conditions: Conditions) -> Callable[..., Path]:
    """The folder of a run, one table a case."""
    monkeypatch.chdir(tmp_path)

    def make(name: str, under: Conditions = conditions, **tables: SampleTable) -> Path:
        folder = RunStore(tmp_path / name)
        about = {"task": PHANTOM, "data": "d", "recipe": {"epochs": 8}, "cases": list(tables), "seeds": [42]}
        folder.save_info(RunInfo(tier="smoke", command="c", baseline="b", started="now", **about))
        for case, slices in tables.items():
            folder.save_record(
                CaseRecord(
                    case=case,
                    title=f"case {case}",
                    tier="smoke",
                    seed=42,
                    metrics={"dice": 1, "accuracy": 1},
                    outcome="done",
                    conditions=under,
                    samples=slices,
                    summary=summarise(slices),
                    seconds=1.0,
                    environment={},
                    created="now",
                )
            )
        return folder.path

    return make
