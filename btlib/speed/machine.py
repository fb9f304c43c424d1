"""Which machine this is, as far as speed goes: what makes two measured speeds comparable."""

import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from btlib import fingerprint

SIMD = (
    *("avx", "avx2", "fma", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *(
        "avx512f",
        "avx512bw",
        "avx512_vnni",
        "avx512_bf16",
        "avx512_fp16",
        "amx_tile",
        "amx_bf16",
        "amx_int8",
        "amx_fp16",
    ),
    *("asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2", "svebf16", "svei8mm", "sme", "sme2"),
)
"""Capabilities that libraries of linear algebra choose their code by, as Linux names them, on x86 and on ARM."""

_KIND = ("vendor_id", "cpu family", "model", "stepping", "CPU implementer", "CPU variant", "CPU part")


def machine_fingerprint(device: str | None = None, root: Path = Path("/")) -> dict[str, str]:
    """What decides how fast this machine is; versions of the kernel, of Python and of packages do not count.

    Args:
        device: What torch worked on ("cpu", "cuda", "mps"); its threads, and with "cuda" the GPUs, then count too. None
            where torch had no part in it, and it is then not imported.
        root: Where `proc` and `sys` lie.

    Returns:
        Facts by name; one that this system does not tell is left out.
    """
    info = _cpuinfo(root)
    here = _affinity()
    facts = {
        "architecture": platform.machine(),
        "cpu": processor(root),
        "cpu_kind": " ".join(info[name] for name in _KIND if name in info),
        "logical_cores": str(len(here) or os.cpu_count()),
        "physical_cores": _physical(here, root),
        "core_quota": _quota(root),
        "simd": " ".join(name for name in SIMD if name in (info.get("flags") or info.get("Features", "")).split()),
    }
    if device is not None:
        facts |= _torch(device)
    return {name: fact for name, fact in facts.items() if fact}


def machine_digest(facts: Mapping[str, str]) -> str:
    """Short name of a machine: the same for the same facts."""
    return fingerprint.of(dict(facts))


def processor(root: Path = Path("/")) -> str:
    """The processor's model; `platform.processor` is empty on most Linux systems."""
    return _cpuinfo(root).get("model name") or platform.processor() or platform.machine()


def _cpuinfo(root: Path) -> dict[str, str]:
    """What Linux says of the first core; empty on other systems."""
    block = _read(root / "proc" / "cpuinfo").strip().partition("\n\n")[0]
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _affinity() -> set[int]:
    """Numbers of the logical cores that this process may run on; empty where the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def _physical(cores: Iterable[int], root: Path) -> str:
    """How many physical cores these logical ones lie on."""
    folders = [root / "sys" / "devices" / "system" / "cpu" / f"cpu{core}" / "topology" for core in cores]
    pairs = {(_read(folder / "physical_package_id"), _read(folder / "core_id")) for folder in folders}
    return str(len(pairs)) if pairs and ("", "") not in pairs else ""


def _quota(root: Path) -> str:
    """How many cores' time a container may use (Linux control groups, version 2); "" for no limit."""
    quota, _, period = _read(root / "sys" / "fs" / "cgroup" / "cpu.max").strip().partition(" ")
    return f"{int(quota) / int(period):g}" if quota.isdecimal() and period.isdecimal() else ""


def _torch(device: str) -> dict[str, str]:
    import torch

    kind = device.partition(":")[0]
    facts = {"device": kind, "threads": str(torch.get_num_threads())}
    if kind == "cuda":
        facts |= {"gpu": torch.cuda.get_device_name(), "gpus": str(torch.cuda.device_count())}
    return facts


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
