"""A machine keeps its name as long as its speed's causes do not change."""

import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from btlib.speed import machine_digest, machine_fingerprint
from btlib.speed.machine import SIMD, processor

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8480+
stepping\t: 8
microcode\t: 0x2b
cpu MHz\t\t: {mhz}
flags\t\t: fpu vme avx2 fma {flags}

processor\t: 1
model name\t: another
flags\t\t: fpu
"""
ARM = """processor\t: 0
BogoMIPS\t: 2100.00
Features\t: fp asimd sve bf16 i8mm
CPU implementer\t: 0x41
CPU variant\t: 0x0
CPU part\t: 0xd4f
"""
Make = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path) -> Make:
    """A tree of `proc` and `sys`: four logical cores, two to a physical one."""
    made = iter(range(100))

    def make(
        cpuinfo: str = X86, mhz: str = "2000.1", flags: str = "avx512f amx_bf16", quota: str | None = None
    ) -> Path:
        root = tmp_path / str(next(made))
        text = {"proc/cpuinfo": cpuinfo.format(mhz=mhz, flags=flags), "proc/version": f"Linux 6.{mhz}"}
        for core in range(4):
            topology = f"sys/devices/system/cpu/cpu{core}/topology"
            text |= {f"{topology}/physical_package_id": "0\n", f"{topology}/core_id": f"{core // 2}\n"}
        if quota is not None:
            text["sys/fs/cgroup/cpu.max"] = quota
        for name, content in text.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(content)
        return root

    return make


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    return lambda which: monkeypatch.setattr(os, "sched_getaffinity", lambda pid: which, raising=False)


def test_what_is_told(machine: Make, cores: Callable[[set[int]], None]):
    cores({0, 1, 2})
    assert machine_fingerprint(root=machine(quota="150000 100000\n")) == {
        "architecture": platform.machine(),
        "cpu": "Intel(R) Xeon(R) Platinum 8480+",
        "cpu_kind": "GenuineIntel 6 143 8",
        "logical_cores": "3",
        "physical_cores": "2",
        "core_quota": "1.5",
        "simd": "avx2 fma avx512f amx_bf16",
    }


def test_on_arm(machine: Make, cores: Callable[[set[int]], None]):
    cores({0, 2})
    facts = machine_fingerprint(root=machine(ARM))
    assert (facts["simd"], facts["cpu_kind"], facts["physical_cores"]) == ("asimd bf16 i8mm sve", "0x41 0x0 0xd4f", "2")


def test_the_name_follows_what_decides_speed_and_nothing_else(machine: Make, cores: Callable[[set[int]], None]):
    def name(**more: str) -> str:
        return machine_digest(machine_fingerprint(root=machine(**more)))

    cores({0, 1, 2, 3})
    whole = name()
    assert whole == name(mhz="3300.7", flags="amx_bf16 avx512f hypervisor") == name(quota="max 100000\n")
    others = {name(flags="avx512f"), name(cpuinfo=X86.replace("143", "85")), name(quota="200000 100000\n")}
    cores({0, 2})
    others.add(name())
    cores({0, 1})
    others.add(name())
    assert len(others | {whole}) == 6


def test_a_system_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    facts = machine_fingerprint(root=tmp_path)
    assert set(facts) == {"architecture", "cpu", "logical_cores"}
    assert facts["cpu"] == processor(tmp_path) != ""


def test_torch_counts_where_it_worked(machine: Make, monkeypatch: pytest.MonkeyPatch):
    root = machine()
    alone = machine_fingerprint(root=root)
    assert machine_fingerprint("cpu", root) == alone | {"device": "cpu", "threads": str(torch.get_num_threads())}
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA Fancy")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    facts = machine_fingerprint("cuda:1", root)
    assert (facts["device"], facts["gpu"], facts["gpus"]) == ("cuda", "NVIDIA Fancy", "3")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert machine_digest(machine_fingerprint("cpu", root)) != machine_digest(alone | facts)
        assert machine_fingerprint("cpu", root)["threads"] == str(threads + 1)
    finally:
        torch.set_num_threads(threads)


def test_this_machine_has_a_name():
    facts = machine_fingerprint()
    assert facts == machine_fingerprint()
    assert set(facts.get("simd", "").split()) <= set(SIMD)
    assert len(machine_digest(facts)) == 16
