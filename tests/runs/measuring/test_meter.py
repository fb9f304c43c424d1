"""Speed is measured warm, as often as time allows, and in turns with a reference on the very device of the case."""

import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from btlib.adapters import device_choice
from btlib.cases import Prepared
from btlib.gate.throughput import judge_throughput
from btlib.runs import Speed
from btlib.runs.measuring import meter
from btlib.runs.measuring.meter import ThroughputMeter, warm
from btlib.runs.throughput import Throughput
from btlib.speed.reference import Call, Job
from btlib.types import Predictions

SPEED = Speed(case="mine")


class Predictor:
    def __init__(self, device: Any = None) -> None:
        if device is not None:
            self.device = device

    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(images, None)


class Reference:
    """In place of one that works: what it was asked, and in which order with the case."""

    def __init__(self, name: str = "another", kind: str = "a kind") -> None:
        self.name, self.kind = name, kind
        self.jobs: list[Job] = []
        self.others: list[Reference] = []
        self.closed = False

    def call(self, job: Job) -> Call | None:
        self.jobs.append(job)
        return Call(0.01, 12.5)

    def start(self) -> None: ...

    def another(self) -> "Reference":
        self.others.append(Reference(self.name, self.kind))
        return self.others[-1]

    def release(self) -> None: ...
    def close(self) -> None:
        self.closed = True


def inference(device: str, batch_size: int = 1) -> Job:
    return Job("inference", batch_size, 32, device)


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
    monkeypatch.setattr(meter, "measure_ceiling", lambda device, precision: SimpleNamespace(flops=1e12))
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
def test_the_reference_works_on_the_device_of_the_case(
    machine: Mock, named: str | None, says: str | None, wanted: str, beside: str | None
):
    details = {} if named is None else {"device": named}
    prepared, reference = Prepared(Predictor(says), "given", details=details), Reference()
    found = ThroughputMeter(1.0, wanted).measure(SPEED, prepared, "a figure", inference, lambda: None, reference)
    timing = found.figures["a figure"]
    assert {job.device for job in reference.jobs} == ({beside} if beside else set())
    assert bool(timing.reference_seconds) == (beside is not None)
    assert (timing.reference, found.noise is not None) == ("another" if beside else None, beside is not None)
    names = {"mps": "Apple GPU", "cpu": None, None: None}
    assert timing.gpu == names.get(timing.device, f"GPU of {beside}")


def test_what_another_gpu_measured_is_not_judged():
    throughput = {"images_per_second": 100.0, "ratio": 2.0, "low": 1.9, "high": 2.1}
    here, there = (
        Throughput(**throughput, gpu="NVIDIA A100"),
        Throughput(**throughput | {"ratio": 9.0, "low": 8.9}, gpu="NVIDIA H200"),
    )
    settings: Any = {"margin": 0.1, "alike": None, "same_machine": True, "noise": 0.0}
    verdict = judge_throughput("mine", "inference, batch 1", here, there, **settings)
    assert verdict.status == "not-judged"
    assert "gpu NVIDIA A100, but the baseline with NVIDIA H200" in verdict.reason
    assert judge_throughput("mine", "inference, batch 1", here, here, **settings).status == "pass"


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


def test_one_slow_first_call_costs_no_turns(machine: Mock, monkeypatch: pytest.MonkeyPatch):
    took = iter([9.0] + [0.01] * 100)
    monkeypatch.setattr(meter, "clocked", lambda function: next(took))
    prepared = Prepared(Predictor("cpu"), "given")
    found = ThroughputMeter(8.0, "auto").measure(SPEED, prepared, "training step", inference, lambda: None, Reference())
    assert len(found.figures["training step"].seconds) == 50, "25 turns, not 2"


PREPARED = Prepared(Predictor("cpu"), "given")


def test_the_case_and_its_reference_take_turns(machine: Mock):
    """A B B A: what slows the machine for a while slows both."""
    order: list[str] = []

    class Noted(Reference):
        def call(self, job: Job) -> Call | None:
            order.append("B")
            return super().call(job)

    measured = ThroughputMeter(1e-9, "auto")
    measured.measure(SPEED, PREPARED, "first", inference, lambda: None, Noted())  # with the null run
    order.clear()
    found = measured.measure(SPEED, PREPARED, "second", inference, lambda: order.append("A"), Noted())
    assert "".join(order).endswith("ABBAABBA")
    timing = found.figures["second"]
    assert (len(timing.seconds), timing.reference_seconds) == (4, [0.01] * 4)
    assert timing.reference_peak_memory_mib == 12.5


def test_figures_of_a_case_come_together(machine: Mock):
    measured = ThroughputMeter(1e-9, "auto")
    one = measured.measure(SPEED, PREPARED, "batch 1", inference, lambda: None)
    both = measured.measure(one, PREPARED, "batch 16", lambda device: inference(device, 16), lambda: None, Reference())
    assert both.figures["batch 1"] == one.figures["batch 1"]
    assert {name: timing.images for name, timing in both.figures.items()} == {"batch 1": 1, "batch 16": 16}
    assert (one.noise, both.noise is not None) == (None, True)
    assert 0 < one.seconds < both.seconds
    again = measured.measure(both, PREPARED, "alone", inference, lambda: None)
    assert again.noise == both.noise, "what is known of the noise stays"


def test_the_null_run_is_made_once_for_a_kind_of_reference(machine: Mock):
    measured = ThroughputMeter(1e-9, "auto")
    one, alike, other = Reference("one"), Reference("alike"), Reference("other", "another kind")
    for reference in (one, alike, other):
        measured.measure(SPEED, PREPARED, "a", inference, lambda: None, reference)
    assert [len(reference.others) for reference in (one, alike, other)] == [1, 0, 1]
    assert all(another.closed for reference in (one, other) for another in reference.others)
    assert not one.closed
    assert {job.batch_size for job in one.others[0].jobs} == {16}


def test_what_a_reference_cannot_do_has_no_ratio(machine: Mock):
    class Predicts(Reference):
        def call(self, job: Job) -> Call | None:
            return super().call(job) if job.work == "inference" else None

    reference = Predicts()
    found = ThroughputMeter(1e-9, "auto").measure(
        SPEED, PREPARED, "step", lambda device: Job("training", 4, 32, device), lambda: None, reference
    )
    timing = found.figures["step"]
    assert (timing.reference, timing.reference_seconds, timing.speedup, found.noise) == (None, [], None, None)
    assert timing.images == 4
    assert (timing.engine, timing.precision) == ("eager", None)


def test_a_twin_is_ended_where_the_null_run_fails(machine: Mock):
    class Fails(Reference):
        def start(self) -> None: ...

        def another(self) -> "Reference":
            another = super().another()
            another.call = Mock(side_effect=RuntimeError("out of memory"))  # type: ignore[method-assign]
            return another

    reference = Fails()
    with pytest.raises(RuntimeError, match="out of memory"):
        ThroughputMeter(1e-9, "auto").measure(SPEED, PREPARED, "a", inference, lambda: None, reference)
    assert reference.others[0].closed
