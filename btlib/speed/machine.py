"""Facts that determine the speed of this machine. Two runs are from the same kind of machine if all facts agree."""

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

from btlib import fingerprint

_FAMILIES = {"x86_64": ("amx_bf16", "avx512_bf16", "avx512f", "avx2"), "aarch64": ("sve2", "sve", "bf16", "asimd")}


def facts() -> dict[str, str]:
    """Describe the processors and GPUs of this machine. Software updates do not change these facts.

    Keys: "cpu" (the model), "cpus" (number that this process may use), "simd" (instruction sets that determine which
    kernels run); and "gpu", "gpus" if PyTorch is imported and has CUDA.
    """
    from joblib import cpu_count

    info = _cpuinfo()
    found = {"cpu": info["model name"], "cpus": str(cpu_count()), "simd": _simd(info["flags"])}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found |= {"gpu": torch.cuda.get_device_name(), "gpus": str(torch.cuda.device_count())}
    return found


def digest() -> str:
    """Fingerprint of `facts`."""
    return fingerprint.of(facts())


def _simd(flags: str) -> str:
    """Return the relevant instruction sets, the widest first, and the limit `ONEDNN_MAX_CPU_ISA` if it is set."""
    have = flags.split()
    known = [name for family in _FAMILIES.values() for name in family if name in have]
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return " ".join([*known, *([f"at most {limit.lower()}"] if limit else [])]) or platform.machine()


@cache
def _cpuinfo() -> dict[str, str]:
    """Return processor model and flags; on systems other than Linux only the processor type, without flags."""
    found = {"model name": platform.processor() or platform.machine(), "flags": ""}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return found
    for key, names in (("model name", "model name"), ("flags", "flags|Features")):
        line = re.search(rf"^(?:{names})\s*:\s*(.+)$", text, re.MULTILINE)
        if line:
            found[key] = line.group(1).strip()
    return found
