"""Which samples of a case a run explains, how finely, and what is not explained at all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest

from btlib.cases import Case, Prepared
from btlib.data.dataset import Dataset
from btlib.evaluation.saved import SavedPredictions
from btlib.runs.executors import InProcess
from btlib.runs.measuring import explanation as room
from btlib.runs.measuring.explanation import explain
from btlib.splits import Split


@dataclass(frozen=True)
class Explainer:
    patch: int = 32
    stride: int = 8


def live(dataset: Dataset, executor: InProcess, case: Case, predictor: object, report: object) -> Any:
    """As much of a prepared case as is looked at."""
    split = Split("by hand", np.arange(3, 12), np.array([0, 2]), np.array([16, 12, 14, 1, 17]))
    tier = replace(executor.workspace.plan.tier, explain_samples=5, explain_patches=4, explain_steps=2)
    progress = SimpleNamespace(now_and_then=lambda: report)
    workspace = SimpleNamespace(plan=SimpleNamespace(tier=tier), progress=progress)
    prepared = Prepared(predictor, "given", fingerprint="abc")  # type: ignore[arg-type]
    return SimpleNamespace(
        case=case, prepared=prepared, given=dataset, split=split, workspace=workspace, store=executor.store
    )


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    found = MagicMock()
    monkeypatch.setattr(room, "Study", found)
    return found


def test_test_samples_with_a_structure_are_explained_as_the_tier_says(
    make_dataset: Callable[..., Dataset],
    make_case: Callable[..., Case],
    make_executor: Callable[..., InProcess],
    monkeypatch: pytest.MonkeyPatch,
    study: MagicMock,
) -> None:
    dataset, executor, report = make_dataset(18), make_executor({"X": ()}), Mock()
    dataset.masks[17] = False  # the fifth test sample: 16, 12, 14, 1, 17
    explainer = Mock(return_value=Explainer())
    monkeypatch.setattr(room, "explainer_of", explainer)
    now = iter([10.0, 12.5])
    monkeypatch.setattr(room, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    asked = live(dataset, executor, make_case("X"), object(), report)
    assert explain(asked) == {}
    explainer.assert_called_once_with(asked.prepared)
    study.assert_called_once_with("X", Explainer(patch=8, stride=4), dataset, asked.split, "abc", report, 2.5)
    (at, place) = study.return_value.run.call_args.args
    assert dataset.strata[at].tolist() == [0, 1, 1, 2]
    assert at.tolist() == [12, 1, 16, 14], "by type, and each type in the order of the files"
    assert place == executor.store.explain_place


@pytest.mark.parametrize("which", ["no classes", "saved"])
def test_what_has_no_classes_or_cannot_be_asked_is_not_explained(
    make_dataset: Callable[..., Dataset],
    make_case: Callable[..., Case],
    make_executor: Callable[..., InProcess],
    study: MagicMock,
    which: str,
) -> None:
    case = make_case("X") if which == "saved" else replace(make_case("X"), has_mask=True, has_classes=False)
    predictor = SavedPredictions.__new__(SavedPredictions) if which == "saved" else object()
    assert explain(live(make_dataset(18), make_executor({"X": ()}), case, predictor, None)) == {}
    study.assert_not_called()
