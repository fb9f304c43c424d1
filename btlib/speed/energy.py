"""Energy between two points in joules, where the machine counts it and lets it be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Reading:
    """Energy counters at one point.

    Attributes:
        microjoules: By domain: "package-0" for a processor and what is in its package, "gpu-0" for a GPU.
        wraps: After how many microjoules the domain's counter begins again at 0; a domain that is not here never does.
    """

    microjoules: Mapping[str, int]
    wraps: Mapping[str, int]


def reading(powercap: Path = POWERCAP) -> Reading:
    """The counters that can be read now: of the processors (RAPL, mostly for root alone) and of all NVIDIA GPUs.

    Other work on the machine is counted with it. Parts of a package (cores, memory) are in the package's counter, and
    are not read.

    Args:
        powercap: Linux's folder of power zones.
    """
    counters, wraps = {}, {}
    for zone in sorted(powercap.glob("intel-rapl:*")):  # AMD's processors have this name too
        name = _text(zone / "name")
        count, wrap = _text(zone / "energy_uj"), _text(zone / "max_energy_range_uj")
        if name.startswith("package-") and count.isdecimal() and wrap.isdecimal():
            counters[name], wraps[name] = int(count), int(wrap)
    return Reading(counters | _gpus(), wraps)


def joules(before: Reading, after: Reading) -> dict[str, float] | None:
    """Energy from one point to a later one, in joules by domain; None where no domain was read at both.

    A counter may begin again at 0 once between the two: a processor at 350 W goes round in about twelve minutes, so
    longer stretches are to be read in parts.
    """
    spent = {}
    for name in before.microjoules.keys() & after.microjoules.keys():
        more = after.microjoules[name] - before.microjoules[name]
        if more < 0:
            more += after.wraps.get(name, 0)
        if more >= 0:  # else a GPU's driver was loaded anew
            spent[name] = more / 1e6
    return dict(sorted(spent.items())) or None


def _gpus() -> dict[str, int]:
    """Microjoules since each NVIDIA GPU's driver was loaded; empty without `pynvml`, or without such a GPU."""
    try:
        import pynvml
    except ImportError:
        return {}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return {}
    try:
        counts = {f"gpu-{i}": _millijoules(pynvml, i) for i in range(pynvml.nvmlDeviceGetCount())}
    finally:
        pynvml.nvmlShutdown()
    return {name: 1000 * count for name, count in counts.items() if count is not None}


def _millijoules(pynvml: Any, index: int) -> int | None:
    try:
        return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByIndex(index)))
    except pynvml.NVMLError:  # GPUs before Volta do not count
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:  # not there, or for root alone
        return ""
