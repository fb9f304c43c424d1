"""One figure of speed: timed in turns A B B A with the thesis path, and kept with all that a reader must know of it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from btlib.adapters import device_choice
from btlib.cases import Case, Prepared
from btlib.plugin import throughput as room
from btlib.plugin.throughput import Throughput, warm
from btlib.runs import RunFolder, Timing
from btlib.speed import memory
from btlib.thesis_path import Call, Job

ORDER: list[str] = []
"""What was done, one letter each: a call of the case (a), of the thesis path (b), of its double (c), and energy."""


class Thesis:
    """In place of the thesis path's process; a double of it answers half as fast."""

    made: ClassVar[list["Thesis"]] = []

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self.jobs: list[Job] = []
        self.state = "open"
        self.letter = "bc"[len(self.made)]
        self.made.append(self)

    def call(self, job: Job) -> Call:
        self.jobs.append(job)
        ORDER.append(self.letter)
        return Call({"b": 0.02, "c": 0.04}[self.letter], 100.0 + len(self.jobs))

    def release(self) -> None:
        self.state = "released"

    def close(self) -> None:
        self.state = "closed"

    def __enter__(self) -> "Thesis":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Meter:
    """In place of the counters of energy: 6 joules a call."""

    joules: float | None = 0.0

    def start(self) -> None:
        ORDER.append("+")

    def stop(self) -> None:
        ORDER.append("-")
        assert self.joules is not None
        self.joules += 6.0


class Bench:
    """As pytest-benchmark's fixture."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.rounds = 0

    def pedantic(self, function: Any, setup: Any = None, teardown: Any = None, rounds: int = 1, **more: int) -> None:
        assert more in ({}, {"iterations": 1})
        self.rounds = rounds
        for _ in range(rounds):
            for step in (setup, function, teardown):
                if step is not None:
                    step()
        self.stats = SimpleNamespace(stats=SimpleNamespace(data=[0.01] * rounds))


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Throughput]:
    """Measures with a clock of its own: a call of the case takes 0.1 s."""
    ORDER.clear()
    Thesis.made = []
    monkeypatch.setattr(room, "ThesisPath", Thesis)
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
    return lambda seconds=1.0, size=32: Throughput(RunFolder(tmp_path), seconds, "tiny", size, "cpu")


def case(name: str = "mine", mask: bool = True, classes: bool = True, size: int | None = None) -> Case:
    return Case(name, "a toy", mask, classes, prepare=lambda work: None, image_size=size)  # type: ignore[arg-type, return-value]


def prepared(**details: Any) -> Prepared:
    return Prepared(SimpleNamespace(predict=None), "given", details=details)


def done() -> None:
    ORDER.append("a")


def test_a_case_and_the_thesis_path_take_turns(measured: Callable[..., Throughput], tmp_path: Path) -> None:
    rate = measured(seconds=1.0)
    rate._noise = Timing(images=16, seconds=[0.01], thesis_seconds=[0.01])
    bench = Bench()
    timing = rate.measure(bench, case(), prepared(), "inference, batch 4", 4, done)
    # 0.12 s for one of each, so that a turn takes 0.24 s
    assert bench.rounds == 8
    at = ORDER.index("release")
    assert ORDER[:at] == ["a"] * 4 + ["b"] * 4, "warmed up first"
    assert ORDER[at : at + 2] == ["release", "reset cpu"]
    assert "".join(ORDER[at + 2 :]) == "+a-bb+a-" * 4
    assert timing == Timing(
        images=4,
        device="cpu",
        gpu="name of cpu",
        seconds=[0.01] * 8,
        thesis_seconds=[0.02] * 8,
        peak_memory_mib=7.0,
        thesis_peak_memory_mib=112.0,  # of the last of its 4 and 8 calls
        joules_per_image=6.0 / 4,
    )
    speed = RunFolder(tmp_path).speeds()["mine"]
    assert speed.figures == {"inference, batch 4": timing}
    assert (speed.ceilings, speed.machine) == ({}, "this one")
    assert speed.seconds > 0


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("inference, batch 1", {"engine": "openvino", "precision": "bf16", "gflop_per_image": 1.5}),
        ("training step, batch 8", {"engine": "compile", "precision": "fp32", "gflop_per_image": None}),
    ],
)
def test_a_figure_says_how_the_case_worked(
    measured: Callable[..., Throughput], figure: str, expected: dict[str, object]
) -> None:
    details = {
        **{"engine": "openvino", "precision": "bf16", "gflop_per_image": 1.5, "device": "cuda:1"},
        **{"training_engine": "compile", "training_precision": "fp32"},
    }
    rate = measured()
    timing = rate.measure(Bench(), case(), prepared(**details), figure, 1, done)
    assert timing is not None
    assert {name: getattr(timing, name) for name in expected} == expected
    assert (timing.device, timing.gpu, timing.device_memory_mib) == ("cuda:1", "name of cuda:1", 9.0)
    assert "reset cuda:1" in ORDER
    assert rate.folder.speeds()["mine"].ceilings == {str(expected["precision"]): 3.0}


def test_a_case_that_says_nothing_trains_eagerly(measured: Callable[..., Throughput]) -> None:
    for figure, engine in (("training step, batch 8", "eager"), ("inference, batch 1", None)):
        timing = measured().measure(Bench(), case(), prepared(), figure, 1, done)
        assert timing is not None
        assert (timing.engine, timing.precision) == (engine, None)
        Thesis.made = []


def test_a_figure_may_be_kept_under_another_name(measured: Callable[..., Throughput]) -> None:
    rate = measured()
    rate.measure(Bench(), case(), prepared(), "inference, batch 1", 1, done, record_as="mine as ONNX")
    assert [*rate.folder.speeds()] == ["mine as ONNX"]


def test_where_benchmarks_are_off_the_function_is_called_once_and_nothing_is_kept(
    measured: Callable[..., Throughput],
) -> None:
    rate = measured()
    assert rate.measure(Bench(enabled=False), case(), prepared(), "inference, batch 1", 1, done) is None
    assert (ORDER, rate.folder.speeds()) == (["a"], {})


@pytest.mark.parametrize(
    ("of", "figure", "job"),
    [
        ({}, "inference, batch 4", Job("D", "tiny", "inference", 4, 32, "cpu")),
        ({"classes": False}, "inference, batch 4", Job("A", "tiny", "inference", 4, 32, "cpu")),
        ({"mask": False}, "training step, batch 4", Job("B", "tiny", "training", 4, 32, "cpu")),
        ({"name": "G"}, "training step, batch 4", Job("G", "tiny", "training", 4, 32, "cpu")),
        ({"size": 48}, "inference, batch 4", Job("D", "tiny", "inference", 4, 48, "cpu")),
    ],
)
def test_the_yardstick_predicts_the_same(
    measured: Callable[..., Throughput], of: dict[str, Any], figure: str, job: Job
) -> None:
    rate = measured()
    rate._noise = Timing(images=16, seconds=[0.01], thesis_seconds=[0.01])
    rate.measure(Bench(), case(**of), prepared(), figure, 4, done)
    assert set(Thesis.made[0].jobs) == {job}


@pytest.mark.parametrize("device", ["tpu", "cuda:0"])
def test_without_a_device_for_the_thesis_path_the_case_is_timed_alone(
    measured: Callable[..., Throughput], monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(device_choice, "find_spec", lambda name: None)
    rate = measured()
    timing = rate.measure(Bench(), case(), prepared(device=device, precision="fp32"), "inference, batch 1", 2, done)
    assert timing is not None
    assert (timing.thesis_seconds, timing.thesis_peak_memory_mib, timing.speedup) == ([], None, None)
    assert (Thesis.made[0].jobs, rate.noise, rate.folder.noise()) == ([], 0.0, None)
    assert rate.folder.speeds()["mine"].ceilings == {}, "nothing is multiplied where PyTorch cannot work"


def test_without_counters_of_energy_there_is_none(
    measured: Callable[..., Throughput], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = SimpleNamespace(joules=None, start=lambda: None, stop=lambda: None)
    monkeypatch.setattr(room, "EnergyMeter", lambda: meter)
    timing = measured().measure(Bench(), case(), prepared(), "inference, batch 1", 1, done)
    assert timing is not None
    assert timing.joules_per_image is None


def test_the_null_run_is_the_thesis_path_in_turns_with_its_double_once(measured: Callable[..., Throughput]) -> None:
    rate = measured(seconds=0.5)
    for figure in ("inference, batch 1", "training step, batch 8"):
        rate.measure(Bench(), case(), prepared(), figure, 1, done)
    ours, double = Thesis.made
    job = Job("D", "tiny", "inference", 16, 32, "cpu")
    # 0.06 s for one of each, 0.12 s for a turn: four turns
    assert "".join(ORDER[:24]) == "bbbb" + "cccc" + "bccb" * 4
    assert set(double.jobs) == {job}
    assert (double.threads, double.state) == (ours.threads, "closed")
    assert rate.folder.noise() == Timing(images=16, seconds=[0.02] * 8, thesis_seconds=[0.04] * 8)
    assert rate.noise == pytest.approx(1.0), "the double takes twice as long"
    assert len(Thesis.made) == 2, "once a run"


@pytest.mark.parametrize(
    ("low", "high", "noise"), [(0.75, 1.125, 0.25), (0.875, 1.5, 0.5), (1.125, 1.25, 0.25), (0.5, 0.75, 0.5)]
)
def test_noise_is_the_larger_distance_of_the_null_run_from_one(
    measured: Callable[..., Throughput], monkeypatch: pytest.MonkeyPatch, low: float, high: float, noise: float
) -> None:
    rate = measured()
    assert rate.noise == 0.0
    rate._noise = Timing(images=1, seconds=[1.0])
    assert rate.noise == 0.0
    speedup = property(lambda self: SimpleNamespace(low=low, high=high))
    monkeypatch.setattr(Timing, "speedup", speedup)
    assert rate.noise == noise


@pytest.mark.parametrize(
    ("seconds", "once", "turns"),
    [(1.0, 0.1, 5), (1.0, 0.099, 5), (1.0, 0.3, 2), (1.0, 9.0, 2), (1.0, 0.02, 25), (1.0, 0.001, 25), (1.0, 0.0, 25)],
)
def test_as_many_turns_as_the_time_allows_from_two_to_twenty_five(
    measured: Callable[..., Throughput], seconds: float, once: float, turns: int
) -> None:
    assert measured(seconds=seconds)._turns(once) == turns


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
    measured: Callable[..., Throughput], monkeypatch: pytest.MonkeyPatch
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


def test_the_process_is_released_between_cases_and_ended_with_the_run(measured: Callable[..., Throughput]) -> None:
    rate = measured()
    rate.release()
    assert Thesis.made[0].state == "released"
    rate.close()
    assert Thesis.made[0].state == "closed"
