"""Energy use, if the machine reports it: of processors by Linux (RAPL), of GPUs by NVIDIA's library."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

RAPL = Path("/sys/class/powercap")


class EnergyMeter:
    """Meter that sums the energy used between `start` and `stop`.

    Args:
        powercap: Linux folder of energy counters.

    Attributes:
        joules: Energy so far in joules, of all processor packages and GPUs of this machine; None if no counter can be
            read.
    """

    def __init__(self, powercap: Path = RAPL) -> None:
        self._counters = [*_packages(powercap), *_gpus()]
        self._before: list[float] = []
        self.joules: float | None = 0.0 if self._counters else None

    def start(self) -> None:
        """Read the counters at the beginning of a measurement."""
        self._before = [read() for read, _ in self._counters]

    def stop(self) -> None:
        """Add the energy used since `start`. A counter is assumed to overflow at most once in this time."""
        for (read, end), before in zip(self._counters, self._before, strict=True):
            used = read() - before
            self.joules = (self.joules or 0.0) + (used if used >= 0 else used + end)


_Counter = tuple[Callable[[], float], float]
"""Function that reads joules, and the value at which the counter restarts from zero."""


def _packages(powercap: Path) -> list[_Counter]:
    """Find the counters of processor packages. Their parts (`intel-rapl:0:1`) are already included."""
    found: list[_Counter] = []
    for folder in sorted(powercap.glob("intel-rapl:[0-9]*")):
        try:
            if folder.name.count(":") == 1 and (folder / "name").read_text().startswith("package"):
                _joules(folder / "energy_uj")
                found.append((lambda at=folder: _joules(at / "energy_uj"), _joules(folder / "max_energy_range_uj")))  # type: ignore[misc]
        except (OSError, ValueError):  # on most machines only the administrator may read it
            continue
    return found


def _joules(path: Path) -> float:
    return int(path.read_text()) / 1e6


def _gpus() -> list[_Counter]:
    if importlib.util.find_spec("pynvml") is None:
        return []
    nvml: Any = importlib.import_module("pynvml")
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
        for handle in handles:
            nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError:  # no driver, or a GPU from before Volta
        return []
    return [(lambda at=h: nvml.nvmlDeviceGetTotalEnergyConsumption(at) / 1e3, float("inf")) for h in handles]  # type: ignore[misc]
