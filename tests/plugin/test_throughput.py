"""Speed is measured warm, as often as time allows, and beside the thesis path on the very device of the case."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from btlib.adapters import device_choice
from btlib.baselines.pace import Pace, judge_pace
from btlib.cases import Case, Prepared
from btlib.plugin import throughput
from btlib.plugin.throughput import Throughput, warm
from btlib.runs import RunFolder
from btlib.thesis_path import Call, Job
from btlib.types import Predictions

CASE = Case("mine", "a case", has_mask=True, has_classes=True, prepare=lambda work: None)


class Predictor:
    def __init__(self, device: Any = None) -> None:
        if device is not None:
            self.device = device

    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(images, None)


class Bench:
    """As pytest-benchmark's fixture: calls so often, without a clock."""

    enabled = True

    def pedantic(self, function: Any, setup: Any, teardown: Any, rounds: int, iterations: int) -> None:
        for _ in range(rounds):
            setup()
            function()
            teardown()
        self.stats = SimpleNamespace(stats=SimpleNamespace(data=[0.01] * rounds))


class Thesis:
    """In place of the thesis path's process: what it was asked."""

    def __init__(self, *_: object) -> None:
        self.jobs: list[Job] = []
        self.threads = 1

    def call(self, job: Job) -> Call:
        ALL.append(job)
        return Call(0.01, None)

    def release(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> "Thesis":
        return self

    def __exit__(self, *_: object) -> None: ...


ALL: list[Job] = []


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """A machine with two GPUs, of which PyTorch knows."""
    torch = Mock()
    torch.cuda.is_available.return_value = True
    torch.cuda.is_initialized.return_value = False
    torch.cuda.get_device_name = lambda device="cuda": f"GPU of {device}"
    torch.backends.mps.is_available.return_value = False
    devices = Mock()
    devices.resolve_device = lambda wanted: "cuda" if wanted in ("auto", "cuda") else wanted
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "btlib.adapters.devices", devices)
    monkeypatch.setattr(device_choice, "find_spec", lambda name: name)
    monkeypatch.setattr(throughput, "ThesisPath", Thesis)
    monkeypatch.setattr(throughput, "measure_ceiling", lambda device, precision: SimpleNamespace(flops=1e12))
    ALL.clear()
    return torch


@pytest.mark.parametrize(
    ("named", "says", "wanted", "beside"),
    [
        ("cuda:1", None, "auto", "cuda:1"),
        ("gpu", None, "auto", "cuda"),
        ("CudaDevice(id=1)", None, "auto", "cuda:1"),
        (None, "gpu:1", "auto", "cuda:1"),
        (None, "/job:localhost/replica:0/task:0/device:GPU:0", "auto", "cuda:0"),
        (None, None, "auto", "cuda"),
        (None, None, "cpu", "cpu"),
        (None, "cpu", "auto", "cpu"),
        ("cpu", "cuda", "auto", "cpu"),
        (None, "TFRT_CPU_0", "auto", "cpu"),
        ("tpu", None, "auto", None),
        ("mps", None, "auto", None),
    ],
)
def test_the_thesis_path_works_on_the_device_of_the_case(
    tmp_path: Path, machine: Mock, named: str | None, says: str | None, wanted: str, beside: str | None
):
    details = {} if named is None else {"device": named}
    prepared = Prepared(Predictor(says), "given", details=details)
    measured = Throughput(RunFolder(tmp_path), 1.0, "tiny", 32, wanted)
    timing = measured.measure(Bench(), CASE, prepared, "inference, batch 1", 1, lambda: None)
    assert {job.device for job in ALL} == ({beside} if beside else set())
    assert timing is not None
    assert bool(timing.thesis_seconds) == (beside is not None)
    names = {"mps": "Apple GPU", "cpu": None, None: None}
    assert timing.gpu == names.get(timing.device, f"GPU of {beside}")


def test_what_another_gpu_measured_is_not_judged():
    pace = {"images_per_second": 100.0, "ratio": 2.0, "low": 1.9, "high": 2.1}
    here, there = Pace(**pace, gpu="NVIDIA A100"), Pace(**pace | {"ratio": 9.0, "low": 8.9}, gpu="NVIDIA H200")
    settings: Any = {"margin": 0.1, "alike": None, "same_machine": True, "noise": 0.0}
    verdict = judge_pace("mine", "inference, batch 1", here, there, **settings)
    assert verdict.status == "not-judged"
    assert "gpu NVIDIA A100, the baseline with NVIDIA H200" in verdict.reason
    assert judge_pace("mine", "inference, batch 1", here, here, **settings).status == "pass"


@pytest.mark.parametrize(
    ("seconds", "calls", "settled"),
    [
        ([20.0, 0.05, 0.04, 0.03], 4, 0.03),  # compiled in the first call
        ([6.0, 6.0], 2, 6.0),
        ([30.0, 12.0, 0.05, 0.04], 4, 0.04),  # a search for kernels after it
        ([0.4, 0.2, 0.1, 0.1], 4, 0.1),
    ],
)
def test_the_first_call_never_counts(seconds: list[float], calls: int, settled: float):
    left = list(seconds)
    assert warm(lambda: left.pop(0)) == settled
    assert len(seconds) - len(left) == calls


def test_one_slow_first_call_costs_no_turns(tmp_path: Path, machine: Mock, monkeypatch: pytest.MonkeyPatch):
    took = iter([9.0] + [0.01] * 100)
    monkeypatch.setattr(throughput, "clocked", lambda function: next(took))
    measured = Throughput(RunFolder(tmp_path), 8.0, "tiny", 32, "auto")
    timing = measured.measure(Bench(), CASE, Prepared(Predictor("cpu"), "given"), "training step", 1, lambda: None)
    assert timing is not None
    assert len(timing.seconds) == 50, "25 turns, not 2"
