"""Which samples of a case a run explains, how finely, and what is kept of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from btlib.plugin import explaining as room
from btlib.plugin.explaining import explain_case
from btlib.plugin.run import Run


@dataclass(frozen=True)
class Explainer:
    patch: int = 32
    stride: int = 8


def test_test_samples_with_a_structure_are_explained_as_the_tier_says(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    dataset, say = run.given("toy1"), Mock()
    dataset.masks[17] = False  # the fifth test sample: 16, 12, 14, 1, 17
    tier = replace(run.tier, explain_slices=5, explain_patches=4, explain_steps=2)
    study, explainer = MagicMock(), Mock(return_value=Explainer())
    monkeypatch.setattr(room, "Study", study)
    monkeypatch.setattr(room, "explainer_of", explainer)
    now = iter([10.0, 12.5])
    monkeypatch.setattr(room, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    prepared: Any = SimpleNamespace(fingerprint="abc")
    found = explain_case("toy1", prepared, dataset, run.split, tier, run.folder, say)
    explainer.assert_called_once_with(prepared)
    study.assert_called_once_with("toy1", Explainer(patch=8, stride=4), dataset, run.split, "abc", say, 2.5)
    (at, folder) = study.return_value.run.call_args.args
    assert dataset.labels[at].tolist() == [0, 1, 1, 2]
    assert at.tolist() == [12, 1, 16, 14], "by type, and each type in the order of the files"
    assert folder is run.folder
    assert found is study.return_value.run.return_value[0]
