"""Joules between two points, from counters that go round, hide or are not there."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.speed import Reading, joules, reading

RANGE = 262_143_328_850
Zones = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    """Two processors with cores and memory of their own, the whole board, and the first processor once more."""

    def write(first: int, second: int) -> Path:
        for zone, name, count in (
            ("intel-rapl:0", "package-0", first),
            ("intel-rapl:0:0", "core", 7),
            ("intel-rapl:0:1", "dram", 7),
            ("intel-rapl:1", "package-1", second),
            ("intel-rapl:2", "psys", 7),
            ("intel-rapl-mmio:0", "package-0", 7),
        ):
            (tmp_path / zone).mkdir(exist_ok=True)
            files = {"name": name, "energy_uj": str(count), "max_energy_range_uj": str(RANGE)}
            for file, text in files.items():
                (tmp_path / zone / file).write_text(f"{text}\n")
        return tmp_path

    return write


def test_packages_alone_are_counted(zones: Zones):
    before = reading(zones(1_000_000, 40))
    assert before == Reading({"package-0": 1_000_000, "package-1": 40}, {"package-0": RANGE, "package-1": RANGE})
    assert joules(before, reading(zones(3_500_000, 40))) == {"package-0": 2.5, "package-1": 0.0}


def test_a_counter_that_begins_again(zones: Zones):
    before = reading(zones(RANGE - 1_000_000, 0))
    assert joules(before, reading(zones(500_000, 0))) == {"package-0": 1.5, "package-1": 0.0}


@given(st.integers(0, RANGE - 1), st.integers(0, RANGE - 1))
def test_any_energy_below_one_round_is_found(start: int, spent: int):
    before = Reading({"package-0": start}, {"package-0": RANGE})
    after = Reading({"package-0": (start + spent) % RANGE}, {"package-0": RANGE})
    assert joules(before, after) == {"package-0": spent / 1e6}


def test_what_cannot_be_read_is_none(zones: Zones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nowhere = reading(tmp_path / "nowhere")
    assert joules(nowhere, nowhere) is None
    seen = reading(zones(1, 2))
    assert joules(nowhere, seen) is None
    assert joules(seen, nowhere) is None
    read_text = Path.read_text

    def for_root(self: Path, *args: object, **more: object) -> str:
        if self.name == "energy_uj" and self.parent.name == "intel-rapl:0":
            raise PermissionError(13, "Permission denied")
        return read_text(self, *args, **more)

    monkeypatch.setattr(Path, "read_text", for_root)
    half = reading(zones(5, 6))
    assert half.microjoules == {"package-1": 6}
    assert joules(seen, half) == {"package-1": 4e-6}


class NVMLError(Exception):
    pass


def nvml(counts: list[int | None], driver: bool = True) -> ModuleType:
    """NVIDIA's library with one GPU for each count in millijoules; None for one that does not count."""
    module = ModuleType("pynvml")
    module.open = False  # type: ignore[attr-defined]

    def init() -> None:
        if not driver:
            raise NVMLError("no driver")
        module.open = True  # type: ignore[attr-defined]

    def energy(index: int) -> int:
        assert module.open
        if counts[index] is None:
            raise NVMLError("not supported")
        return counts[index]

    module.NVMLError = NVMLError  # type: ignore[attr-defined]
    module.nvmlInit = init  # type: ignore[attr-defined]
    module.nvmlShutdown = lambda: setattr(module, "open", False)  # type: ignore[attr-defined]
    module.nvmlDeviceGetCount = lambda: len(counts)  # type: ignore[attr-defined]
    module.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    module.nvmlDeviceGetTotalEnergyConsumption = energy  # type: ignore[attr-defined]
    return module


def test_gpus(zones: Zones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def read(*counts: int | None) -> Reading:
        library = nvml(list(counts))
        monkeypatch.setitem(sys.modules, "pynvml", library)
        found = reading(zones(1, 2))
        assert not library.open
        return found

    before, after = read(1_500, None, 9_000), read(4_000, 10, 3)
    assert before.microjoules == {"package-0": 1, "package-1": 2, "gpu-0": 1_500_000, "gpu-2": 9_000_000}
    # the second could not be read before, the third's counter was set back
    assert joules(before, after) == {"gpu-0": 2.5, "package-0": 0.0, "package-1": 0.0}
    monkeypatch.setitem(sys.modules, "pynvml", nvml([1], driver=False))
    assert reading(tmp_path / "nowhere").microjoules == {}
