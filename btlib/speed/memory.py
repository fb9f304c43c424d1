"""The largest memory that this process held for a while; Linux alone tells it, and PyTorch of its GPUs."""

import sys
from pathlib import Path

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5"


def reset_peak(device: str = "cpu") -> None:
    """Start to measure, on a device such as "cuda" too: the peak so far is forgotten."""
    if device.startswith("cuda"):
        sys.modules["torch"].cuda.reset_peak_memory_stats(device)  # who uses the device has imported it
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:  # another system, or not allowed here: `peak_mib` then says None or the peak since the start
        return


def peak_mib() -> float | None:
    """Largest resident memory since `reset_peak`, in MiB, all of the process; None where the system does not tell."""
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return None if found is None else int(found) / 1024


def device_peak_mib(device: str) -> float | None:
    """Largest memory that PyTorch had on a GPU since `reset_peak`, in MiB; None for any other device."""
    if not device.startswith("cuda"):
        return None
    return float(sys.modules["torch"].cuda.max_memory_reserved(device)) / 2**20
