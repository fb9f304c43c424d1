"""What tests of the judgement share: changes of a run, and what is stored of it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from btlib import Baseline
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.judgement import Judgement
from btlib.runs import CaseRecord, Cell, RunInfo, RunStore
from btlib.sample_table import SampleTable
from btlib.types import Predictions

Table = Callable[..., SampleTable]
Make = Callable[..., CaseRecord]
Counted = Counter[str]

METRICS = ("dice", "accuracy")
SEEDS = [1, 2]


def change(store: RunStore, case: str, seed: int, **fields: Any) -> None:
    found = store.record(Cell(case, seed))
    assert found is not None
    store.save_record(found.model_copy(update=fields))


def inform(store: RunStore, **fields: Any) -> RunInfo:
    info = store.info().model_copy(update=fields)
    store.save_info(info)
    return info


def kept(store: RunStore) -> Judgement:
    return Judgement.load(store.path / "judgement.json")


def statuses(judgement: Judgement) -> dict[str, set[str]]:
    return {case: {v.status for v in found.verdicts} for case, found in judgement.cases.items()}


def as_other(baseline: Baseline, **fields: Any) -> Baseline:
    return baseline.model_copy(update=fields)


def with_margin(baseline: Baseline, margin: float) -> Baseline:
    def wide(case: BaselineCase) -> BaselineCase:
        figures = [figure.model_copy(update={"margin": margin}) for figure in case.figures]
        return case.model_copy(update={"figures": figures})

    return as_other(baseline, cases={name: wide(case) for name, case in baseline.cases.items()})


class Bright:
    """Predicts brightness, and the first class a little more than the others."""

    def predict(self, images: np.ndarray) -> Predictions:
        classes = np.tile([0.5, 0.25, 0.25], (len(images), 1))
        return Predictions(np.clip(images / images.max(), 0, 1), classes)
