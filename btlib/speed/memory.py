"""The largest memory that this process held for a while; Linux alone tells it."""

from pathlib import Path

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5"


def reset_peak() -> None:
    """Start to measure: the peak so far is forgotten."""
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
