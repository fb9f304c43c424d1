"""What decides how fast this machine is: two runs are of the same kind of machine where all of it agrees."""

import os
import platform
import re
import sys
from functools import cache
from pathlib import Path

from btlib import fingerprint

_FAMILIES = {"x86_64": ("amx_bf16", "avx512_bf16", "avx512f", "avx2"), "aarch64": ("sve2", "sve", "bf16", "asimd")}


def facts() -> dict[str, str]:
    """Processor, how many of them this process may use, and what arithmetic they have; nothing that an update changes.

    Keys: "cpu" (the model), "cpus", "simd" (the instruction sets that decide which kernels run), and "gpu", "gpus"
    where PyTorch has been imported and has CUDA.
    """
    from joblib import cpu_count

    info = _cpuinfo()
    found = {"cpu": info["model name"], "cpus": str(cpu_count()), "simd": _simd(info["flags"])}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found |= {"gpu": torch.cuda.get_device_name(), "gpus": str(torch.cuda.device_count())}
    return found


def digest() -> str:
    """Of `facts`."""
    return fingerprint.of(facts())


def _simd(flags: str) -> str:
    """The sets that matter, the widest first, as limited by `ONEDNN_MAX_CPU_ISA` where that is set."""
    have = flags.split()
    known = [name for family in _FAMILIES.values() for name in family if name in have]
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA")
    return " ".join([*known, *([f"at most {limit.lower()}"] if limit else [])]) or platform.machine()


@cache
def _cpuinfo() -> dict[str, str]:
    """Model and flags; other systems than Linux tell the kind of machine only."""
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
