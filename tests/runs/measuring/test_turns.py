"""One figure of speed: timed in turns A B B A with a reference, and kept with all that a reader must know of it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from btlib.adapters import device_choice
from btlib.cases import Prepared
from btlib.runs import Speed, Timing
from btlib.runs.measuring import meter as room
from btlib.runs.measuring.meter import ThroughputMeter, warm
from btlib.speed import memory
from btlib.speed.reference import Call, Job

ORDER: list[str] = []
"""What was done, one letter each: a call of the case (a), of the reference (b), of its twin (c), and energy."""


class Reference:
    """Takes a fiftieth of a second; its twin works half as fast."""

    name = kind = "a reference"

    def __init__(self, letter: str = "b") -> None:
        self.letter, self.closed = letter, False
        self.jobs: list[Job] = []
        self.others: list[Reference] = []

    def call(self, job: Job) -> Call:
        self.jobs.append(job)
        ORDER.append(self.letter)
        return Call({"b": 0.02, "c": 0.04}[self.letter], 100.0 + len(self.jobs))

    def start(self) -> None: ...

    def another(self) -> "Reference":
        self.others.append(Reference("c"))
        return self.others[-1]

    def release(self) -> None: ...

    def close(self) -> None:
        self.closed = True


class Meter:
    """In place of the counters of energy: 6 joules a call."""

    joules: float | None = 0.0

    def start(self) -> None:
        ORDER.append("+")

    def stop(self) -> None:
        ORDER.append("-")
        assert self.joules is not None
        self.joules += 6.0


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ThroughputMeter]:
    """Measures with a clock of its own: a call of the case takes 0.1 s."""
    ORDER.clear()
    monkeypatch.setattr(room, "EnergyMeter", Meter)
    monkeypatch.setattr(room, "clocked", lambda function: function() or 0.1)
    monkeypatch.setattr(room, "has_torch_device", lambda device: device in ("cpu", "cuda:1"))
    monkeypatch.setattr(room, "gpu_name", lambda device: f"name of {device}")
    monkeypatch.setattr(room, "measure_ceiling", lambda device, precision: SimpleNamespace(flops=3e12))
    monkeypatch.setattr(memory, "release", lambda: ORDER.append("release"))
    monkeypatch.setattr(memory, "reset_peak", lambda device: ORDER.append(f"reset {device}"))
    monkeypatch.setattr(memory, "peak_mib", lambda: 7.0)
    monkeypatch.setattr(memory, "device_peak_mib", lambda device: {"cuda:1": 9.0}.get(device))
    monkeypatch.setattr(room, "machine", SimpleNamespace(digest=lambda: "this one"))
    return lambda seconds=1.0: ThroughputMeter(seconds, "cpu")


SPEED = Speed(case="mine")
QUIET = Timing(images=16, seconds=[0.01], reference="a reference", reference_seconds=[0.01])


def prepared(**details: Any) -> Prepared:
    return Prepared(SimpleNamespace(predict=None), "given", details=details)  # type: ignore[arg-type]


def inference(n: int) -> Callable[[str], Job]:
    return lambda device: Job("inference", n, 32, device)


def training(device: str) -> Job:
    return Job("training", 8, 32, device)


def done() -> None:
    ORDER.append("a")


def test_a_case_and_its_reference_take_turns(measured: Callable[..., ThroughputMeter]) -> None:
    rate, reference = measured(seconds=1.0), Reference()
    rate._noise["a reference", "cpu"] = QUIET
    speed = rate.measure(SPEED, prepared(), "inference, batch 4", inference(4), done, reference)
    # 0.12 s for one of each, so that a turn takes 0.24 s
    at = ORDER.index("release")
    assert ORDER[:at] == ["b"] + ["a"] * 4 + ["b"] * 4, "asked whether it can do it, and warmed up first"
    assert ORDER[at : at + 2] == ["release", "reset cpu"]
    assert "".join(ORDER[at + 2 :]) == "+a-bb+a-" * 4
    assert speed.figures == {
        "inference, batch 4": Timing(
            images=4,
            device="cpu",
            gpu="name of cpu",
            seconds=[0.1] * 8,
            reference="a reference",
            reference_seconds=[0.02] * 8,
            peak_memory_mib=7.0,
            reference_peak_memory_mib=113.0,  # of the last of its 1, 4 and 8 calls
            joules_per_image=6.0 / 4,
        )
    }
    assert set(reference.jobs) == {Job("inference", 4, 32, "cpu")}
    assert (speed.case, speed.ceilings, speed.machine, speed.noise) == ("mine", {}, "this one", QUIET)
    assert speed.seconds > 0


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (inference(1), {"engine": "openvino", "precision": "bf16", "gflop_per_image": 1.5}),
        (training, {"engine": "compile", "precision": "fp32", "gflop_per_image": None}),
    ],
    ids=["inference", "training step"],
)
def test_a_figure_says_how_the_case_worked(
    measured: Callable[..., ThroughputMeter], job: Callable[[str], Job], expected: dict[str, object]
) -> None:
    details = {
        **{"engine": "openvino", "precision": "bf16", "gflop_per_image": 1.5, "device": "cuda:1"},
        **{"training_engine": "compile", "training_precision": "fp32"},
    }
    speed = measured().measure(SPEED, prepared(**details), "a figure", job, done)
    timing = speed.figures["a figure"]
    assert {name: getattr(timing, name) for name in expected} == expected
    assert (timing.device, timing.gpu, timing.device_memory_mib) == ("cuda:1", "name of cuda:1", 9.0)
    assert "reset cuda:1" in ORDER
    assert speed.ceilings == {str(expected["precision"]): 3.0}


def test_a_case_that_says_nothing_trains_eagerly(measured: Callable[..., ThroughputMeter]) -> None:
    for job, engine in ((training, "eager"), (inference(1), None)):
        timing = measured().measure(SPEED, prepared(), "a figure", job, done).figures["a figure"]
        assert (timing.engine, timing.precision) == (engine, None)


@pytest.mark.parametrize("device", ["tpu", "cuda:0"])
def test_without_a_device_for_the_reference_the_case_is_timed_alone(
    measured: Callable[..., ThroughputMeter], monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(device_choice, "find_spec", lambda name: None)
    reference = Reference()
    ready = prepared(device=device, precision="fp32")
    speed = measured().measure(SPEED, ready, "a figure", inference(2), done, reference)
    timing = speed.figures["a figure"]
    assert (timing.reference_seconds, timing.reference_peak_memory_mib, timing.speedup) == ([], None, None)
    assert (reference.jobs, speed.noisiness, speed.noise) == ([], 0.0, None)
    assert speed.ceilings == {}, "nothing is multiplied where PyTorch cannot work"


def test_without_counters_of_energy_there_is_none(
    measured: Callable[..., ThroughputMeter], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = SimpleNamespace(joules=None, start=lambda: None, stop=lambda: None)
    monkeypatch.setattr(room, "EnergyMeter", lambda: meter)
    speed = measured().measure(SPEED, prepared(), "a figure", inference(1), done)
    assert speed.figures["a figure"].joules_per_image is None


def test_the_null_run_is_the_reference_in_turns_with_its_twin_once(measured: Callable[..., ThroughputMeter]) -> None:
    rate, reference = measured(seconds=0.5), Reference()
    speed = SPEED
    for figure, job in (("inference", inference(1)), ("training step", training)):
        speed = rate.measure(speed, prepared(), figure, job, done, reference)
    (another,) = reference.others
    # 0.06 s for one of each, 0.12 s for a turn: four turns
    assert "".join(ORDER[:25]) == "b" + "bbbb" + "cccc" + "bccb" * 4
    assert set(another.jobs) == {Job("inference", 16, 32, "cpu")}
    assert (another.closed, reference.closed) == (True, False)
    expected = Timing(images=16, seconds=[0.02] * 8, reference="a reference", reference_seconds=[0.04] * 8)
    assert speed.noise == expected
    assert speed.noisiness == pytest.approx(1.0), "the twin takes twice as long"


@pytest.mark.parametrize(
    ("low", "high", "noise"), [(0.75, 1.125, 0.25), (0.875, 1.5, 0.5), (1.125, 1.25, 0.25), (0.5, 0.75, 0.5)]
)
def test_noise_is_the_larger_distance_of_the_null_run_from_one(
    monkeypatch: pytest.MonkeyPatch, low: float, high: float, noise: float
) -> None:
    assert SPEED.noisiness == 0.0
    null = SPEED.model_copy(update={"noise": Timing(images=1, seconds=[1.0])})
    assert null.noisiness == 0.0
    monkeypatch.setattr(Timing, "speedup", property(lambda self: SimpleNamespace(low=low, high=high)))
    assert null.noisiness == noise


@pytest.mark.parametrize(
    ("seconds", "once", "turns"),
    [(1.0, 0.1, 5), (1.0, 0.099, 5), (1.0, 0.3, 2), (1.0, 9.0, 2), (1.0, 0.02, 25), (1.0, 0.001, 25), (1.0, 0.0, 25)],
)
def test_as_many_turns_as_the_time_allows_from_two_to_twenty_five(seconds: float, once: float, turns: int) -> None:
    assert ThroughputMeter(seconds, "cpu")._turns(once) == turns


@pytest.mark.parametrize(
    ("seconds", "calls"),
    [
        ([9.0, 2.0, 2.0, 2.0], 4),  # not long
        ([9.0, 2.5, 1.9, 2.5], 4),
        ([3.0, 2.5, 9.0, 9.0], 2),  # long, and it took more than four fifths of the call before
        ([3.0, 2.4, 2.3, 9.0], 3),  # just four fifths is still settling
    ],
)
def test_a_long_call_is_warm_when_it_takes_no_less_than_the_one_before(seconds: list[float], calls: int) -> None:
    left = list(seconds)
    assert warm(lambda: left.pop(0)) == seconds[calls - 1]
    assert len(seconds) - len(left) == calls


def test_a_ceiling_is_measured_once_for_each_device_and_precision(
    measured: Callable[..., ThroughputMeter], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[tuple[str, str]]()

    def ceiling(device: str, precision: str) -> SimpleNamespace:
        asked.append((device, precision))
        return SimpleNamespace(flops={"fp32": 1e12, "bf16": 4e12, "int8": 8e12}[precision])

    monkeypatch.setattr(room, "measure_ceiling", ceiling)
    rate = measured()
    timing = Timing(images=1, seconds=[1.0])
    for device, precision, known in (
        ("cpu", "fp32", {"fp32": 1.0}),
        ("cpu", "fp32", {"fp32": 1.0}),
        ("cpu", "int8", {"fp32": 1.0, "int8": 8.0}),
        ("cuda:1", "bf16", {"bf16": 4.0}),
        ("cuda:1", "fp16", {"bf16": 4.0}),
        ("cuda:1", None, {"bf16": 4.0}),
        ("cpu", "bf16", {"fp32": 1.0, "int8": 8.0, "bf16": 4.0}),
    ):
        facts = rate._facts(device, timing.model_copy(update={"precision": precision}))
        assert facts == {"ceilings": known, "machine": "this one"}
    assert asked == [("cpu", "fp32"), ("cpu", "int8"), ("cuda:1", "bf16"), ("cpu", "bf16")]
    assert rate._facts(None, timing)["ceilings"] == {}
