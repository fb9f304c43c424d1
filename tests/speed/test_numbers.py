"""What is read off the machine, on machines that the tests make up: processors, memory, energy, threads, time."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import joblib
import pytest

from btlib.speed import ceiling, clock, energy, machine, memory, tuning
from btlib.speed.ceiling import measure_ceiling
from btlib.speed.products import Product


@pytest.mark.parametrize(
    ("flags", "limit", "expected"),
    [
        ("fpu avx2 avx512f amx_bf16", {}, "amx_bf16 avx512f avx2"),
        ("fpu avx2", {"ONEDNN_MAX_CPU_ISA": "AVX2"}, "avx2 at most avx2"),
        ("avx2", {"DNNL_MAX_CPU_ISA": "SSE41"}, "avx2 at most sse41"),
        ("avx2", {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "SSE41"}, "avx2 at most avx2"),
        ("fp asimd sve sve2", {}, "sve2 sve asimd"),
        ("fpu", {}, None),
    ],
)
def test_the_instruction_sets_that_matter(
    monkeypatch: pytest.MonkeyPatch, flags: str, limit: dict[str, str], expected: str | None
) -> None:
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in limit.items():
        monkeypatch.setenv(name, value)
    assert machine._simd(flags) == (machine.platform.machine() if expected is None else expected)  # type: ignore[attr-defined]


@pytest.mark.parametrize("gpus", [0, 2])
def test_the_facts_of_a_machine(monkeypatch: pytest.MonkeyPatch, gpus: int) -> None:
    torch = Mock()
    torch.cuda.is_available.return_value = bool(gpus)
    torch.cuda.get_device_name.return_value = "NVIDIA H200"
    torch.cuda.device_count.return_value = gpus
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 6)
    monkeypatch.setattr(machine, "_cpuinfo", lambda: {"model name": "a processor", "flags": "avx2"})
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.delenv("DNNL_MAX_CPU_ISA", raising=False)
    facts = {"cpu": "a processor", "cpus": "6", "simd": "avx2"} | ({"gpu": "NVIDIA H200", "gpus": "2"} if gpus else {})
    assert machine.facts() == facts
    before = machine.digest()
    for name, changed in (("cpu_count", 7), ("_cpuinfo", {"model name": "another", "flags": "avx2"})):
        room: Any = joblib if name == "cpu_count" else machine
        with monkeypatch.context() as patch:
            patch.setattr(room, name, lambda changed=changed: changed)
            assert machine.digest() != before
    assert machine.digest() == before


def test_the_processor_by_the_words_of_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor : 0\nmodel name\t: AMD EPYC 9554 \nflags\t\t: fpu avx2\nprocessor : 1\nmodel name : other\n"
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: text)
    assert machine._cpuinfo.__wrapped__() == {"model name": "AMD EPYC 9554", "flags": "fpu avx2"}
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: "Features\t: fp asimd\n")
    assert machine._cpuinfo.__wrapped__()["flags"] == "fp asimd"
    monkeypatch.setattr(Path, "read_text", Mock(side_effect=OSError))
    assert machine._cpuinfo.__wrapped__()["flags"] == ""


def test_peaks_are_in_mebibytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "status").write_text("VmPeak:\t 9999 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 7 kB\n")
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "clear_refs")
    assert memory.peak_mib() == 2.0
    torch = Mock()
    torch.cuda.is_initialized.return_value = True
    torch.cuda.max_memory_reserved = lambda device: {"cuda:1": 3 * 2**20}.get(device, 0)
    monkeypatch.setitem(sys.modules, "torch", torch)
    memory.reset_peak("cuda:1")
    torch.cuda.reset_peak_memory_stats.assert_called_once_with("cuda:1")
    assert (tmp_path / "clear_refs").read_text() == "5"
    assert [memory.device_peak_mib(name) for name in ("cuda:1", "cuda:0", "cpu")] == [3.0, None, None]
    memory.reset_peak("cpu")
    assert torch.cuda.reset_peak_memory_stats.call_count == 1
    torch.cuda.is_initialized.return_value = False
    assert memory.device_peak_mib("cuda:1") is None
    (tmp_path / "status").write_text("Name: x\n")
    assert memory.peak_mib() is None
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "nowhere")
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "nowhere" / "either")
    assert memory.peak_mib() is None
    memory.reset_peak()


def test_caches_are_emptied_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps in ((True, False), (False, True)):
        torch = Mock()
        torch.cuda.is_initialized.return_value = cuda
        torch.backends.mps.is_available.return_value = mps
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setattr(memory.gc, "collect", collect := Mock())  # type: ignore[attr-defined]
        memory.release()
        assert (torch.cuda.empty_cache.called, torch.mps.empty_cache.called) == (cuda, mps)
        collect.assert_called_once_with()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which nobody has said how many threads there are, of a process that has eight of 16."""
    found: dict[str, str] = {}
    monkeypatch.setattr(tuning, "os", SimpleNamespace(environ=found, cpu_count=lambda: 16))
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    monkeypatch.setattr(tuning, "_now", tuning.Tuning())
    monkeypatch.setattr(tuning, "_keep_memory", lambda: "kept")
    return found


@pytest.mark.parametrize(("workers", "threads"), [(1, 8), (2, 4), (3, 2), (8, 1), (9, 1)])
def test_processors_are_shared_among_workers(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, workers: int, threads: int
) -> None:
    torch = Mock()
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert tuning.tune(workers) == tuning.Tuning("kept", threads) == tuning.current()
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    assert environment == dict.fromkeys(names, str(threads))
    torch.set_num_threads.assert_called_once_with(threads)


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"])
def test_threads_that_the_user_has_set_are_left_alone(environment: dict[str, str], name: str) -> None:
    environment[name] = "3"
    assert tuning.tune(2).threads is None
    assert environment == {name: "3"}


def test_where_there_is_nothing_to_share_nothing_is_set(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", Mock())
    monkeypatch.setattr(joblib, "cpu_count", lambda: 16)
    assert tuning.tune().threads is None
    assert environment == {}
    assert tuning.tune(2).threads == 8


def test_the_allocator_is_told_to_keep_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[int, int]]()
    refused = set[int]()

    def mallopt(option: int, value: int) -> int:
        asked.append((option, value))
        return int(option not in refused)

    library = SimpleNamespace(mallopt=mallopt)
    monkeypatch.setattr(tuning.ctypes, "CDLL", lambda name: library)  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "platform", "linux")
    assert tuning._keep_memory() == "kept"
    assert dict(asked) == {-4: 0, -1: -1, -2: 536870912}, "as MALLOC_MMAP_MAX_, _TRIM_THRESHOLD_ and _TOP_PAD_"
    refused.add(-2)
    assert tuning._keep_memory() == "default"
    monkeypatch.setattr(sys, "platform", "darwin")
    asked.clear()
    assert (tuning._keep_memory(), asked) == ("default", [])


def test_energy_of_all_gpus_is_added_up_in_joules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    millijoules = {0: 5000.0, 1: 100.0}
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda i: i,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: millijoules[handle],
        NVMLError=NVMLError,
    )
    monkeypatch.setattr(energy.importlib.util, "find_spec", lambda name: name)  # type: ignore[attr-defined]
    monkeypatch.setattr(energy.importlib, "import_module", lambda name: nvml)  # type: ignore[attr-defined]
    meter = energy.EnergyMeter(tmp_path)
    for used in (1500.0, 250.0):
        meter.start()
        millijoules[0] += used
        millijoules[1] += 500.0
        meter.stop()
        millijoules[1] += 9999.0
    assert meter.joules == pytest.approx(2.75)
    nvml.nvmlInit = Mock(side_effect=NVMLError)
    assert energy.EnergyMeter(tmp_path).joules is None


def test_the_time_of_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert clock.clocked(lambda: now.__setitem__(0, now[0] + 1.5)) == 1.5


def test_products_take_turns_and_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, order = list[float](), list[str]()
    seconds = {"a": iter([4.0, 2.0, 5.0]), "b": iter([3.0, 3.0, 1.5])}

    def fastest(run: Any, share: float) -> float:
        asked.append(share)
        order.append(run())
        return next(seconds[order[-1]])

    monkeypatch.setattr(ceiling, "fastest", fastest)
    room: Any = __import__("btlib.speed.products", fromlist=["products"])
    made = Mock(return_value=[Product("a", 8, lambda: "a"), Product("b", 9, lambda: "b")])
    monkeypatch.setattr(room, "products", made)
    found = measure_ceiling("mps", "bf16", seconds=9.0)
    made.assert_called_once_with("mps", "bf16")
    assert (found.flops, found.by, found.measured) == (6.0, "b", {"a": 4.0, "b": 6.0})
    assert (order, asked) == (["a", "b"] * 3, [1.5] * 6)


def test_runs_that_begin_within_the_time_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now, costs = [0.0], iter([9.0, 4.0, 3.0, 2.0, 1.0])
    monkeypatch.setattr(ceiling, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert ceiling.fastest(lambda: now.__setitem__(0, now[0] + next(costs)), 9.0) == 2.0
    assert next(costs) == 1.0, "the time was over when the third ended"
