"""Workers of pytest-xdist share the GPUs that the user lets them see."""

import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from btlib.plugin import gpus

CASE = """
import os, sys
import numpy as np
from pathlib import Path
from btlib.cases import Prepared, case
from btlib.types import Predictions

class Blank:
    def predict(self, images):
        return Predictions(np.zeros(images.shape, np.float32), None)

def prepare(work):
    with open("seen.txt", "a") as file:
        print(os.environ["PYTEST_XDIST_WORKER"], os.environ.get("CUDA_VISIBLE_DEVICES"), file=file)
    return Prepared(Blank(), "given")

for k in range(6):
    case(f"blank{k}", "nothing", has_mask=True, has_classes=False)(prepare)

def test_quality(bt_run, bt_case, bt_metric):
    bt_run.check(bt_case, bt_metric)
"""


@pytest.mark.parametrize(
    ("visible", "worker", "seen"),
    [
        ("2,5", "gw0", "2"),
        ("2,5", "gw1", "5"),
        ("2,5", "gw2", "2"),
        ("GPU-8932f937, GPU-7ab1", "gw1", "GPU-7ab1"),
        ("MIG-1,MIG-2,MIG-3", "gw10", "MIG-2"),
        ("3", "gw1", None),
        ("", "gw0", None),
        ("-1", "gw0", None),
        ("4,-1,2", "gw1", None),
        ("1,1", "gw1", None),
        ("2,5", None, None),
    ],
)
def test_a_worker_sees_one_of_those_that_the_user_lets_it_see(visible: str, worker: str | None, seen: str | None):
    environment = {"CUDA_VISIBLE_DEVICES": visible} | ({"PYTEST_XDIST_WORKER": worker} if worker else {})
    assert gpus.share(None, environment) == seen
    assert environment["CUDA_VISIBLE_DEVICES"] == (seen or visible)


def test_without_a_word_of_the_user_all_of_the_machine(tmp_path: Path):
    for k in range(3):
        (tmp_path / f"0000:{k}1:00.0").mkdir()
        (tmp_path / f"0000:{k}1:00.0" / "information").write_text(f"Model:\t NVIDIA H200\nDevice Minor: \t {k}\n")
    assert gpus.visible({}, tmp_path, tmp_path) == []
    for k in (0, 2):  # a container has but some of them
        (tmp_path / f"nvidia{k}").touch()
    assert gpus.visible({}, tmp_path, tmp_path) == ["0", "1"]
    assert gpus.visible({}, tmp_path / "no driver", tmp_path) == []


def test_where_cuda_is_in_use_the_current_device_is_set(monkeypatch: pytest.MonkeyPatch):
    torch = Mock()
    torch.cuda.is_initialized.return_value = True
    monkeypatch.setitem(sys.modules, "torch", torch)
    environment = {"CUDA_VISIBLE_DEVICES": "2,5"}
    assert gpus.share("gw3", environment) == "5"
    torch.cuda.set_device.assert_called_once_with(1)
    assert environment == {"CUDA_VISIBLE_DEVICES": "5"}, "for the thesis path's process"


def test_cases_of_two_workers_see_two_gpus(
    pytester: pytest.Pytester,
    written: Callable[..., None],
    measure: Callable[..., pytest.RunResult],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    written({"tests/test_bench.py": CASE})
    assert measure("-n", "2").ret == 0
    seen = set((pytester.path / "seen.txt").read_text().splitlines())
    assert seen == {"gw0 GPU-a", "gw1 GPU-b"}
