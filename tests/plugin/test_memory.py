"""One model at a time: when a case is prepared, nothing of the case before it is alive."""

from collections.abc import Callable

import pytest

CASES = """
import weakref

import numpy as np

from btlib.cases import Prepared, case
from btlib.types import Predictions

alive = weakref.WeakSet()


class Blank:
    def __init__(self):
        self.itself = self  # as frameworks do: only a search for cycles frees it
        alive.add(self)

    def predict(self, images):
        return Predictions(np.zeros(images.shape, np.float32), None)


def prepare(work):
    with open("alive.txt", "a") as file:
        print(work.case, len(alive), file=file)
    predictor = Blank()
    if work.case == "fails":
        raise RuntimeError("CUDA error: out of memory")
    return Prepared(predictor, "given")


for name in ("first", "fails", "last"):
    case(name, "nothing", has_mask=True, has_classes=False)(prepare)


def test_quality(bt_run, bt_case, bt_metric):
    bt_run.check(bt_case, bt_metric)


def test_speed(bt_run, bt_case):
    predictor = bt_run.predictor_of(bt_case).predictor
    _, images = bt_run.workspace.batch(bt_run.first_cell(bt_case), 2)
    assert predictor.predict(images) is not None
"""


def test_each_case_finds_an_empty_house(
    pytester: pytest.Pytester, written: Callable[..., None], measure: Callable[..., pytest.RunResult]
):
    written({"tests/test_bench.py": CASES})
    result = measure()
    result.assert_outcomes(passed=4, failed=2)
    assert (pytester.path / "alive.txt").read_text().split("\n") == ["first 0", "fails 0", "last 0", ""]
    result.stdout.fnmatch_lines(["*fails*OUT-OF-MEMORY*"])
