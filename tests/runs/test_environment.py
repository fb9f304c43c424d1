"""What a record says of the machine: with a GPU also its driver, and whether fp32 was rounded."""

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from unittest.mock import Mock

import pytest

from btlib.runs import environment as room
from btlib.runs.environment import PACKAGES, driver, environment

VERSION = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Fri Jan 24 21:32:40 UTC 2025
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build  (dvs-builder@U16)\n"


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Mock:
    torch = Mock()
    torch.version.cuda = "13.0"
    torch.backends.cudnn.version.return_value = 92400
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    torch.backends.cuda.matmul.fp32_precision = "none"
    torch.get_num_threads.return_value = 8
    torch.are_deterministic_algorithms_enabled.return_value = False
    torch.cuda.get_device_name.return_value = "NVIDIA H200"
    torch.cuda.device_count.return_value = 2
    monkeypatch.setitem(sys.modules, "torch", torch)
    return torch


@pytest.fixture
def _versions_looked_up_anew() -> Iterator[None]:
    room._version.cache_clear()
    yield
    room._version.cache_clear()


@pytest.mark.usefixtures("_versions_looked_up_anew")
def test_everywhere(torch: Mock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("btlib.runs.environment.metadata.version", version_of)
    monkeypatch.setattr("btlib.speed.machine.digest", lambda: "m1")
    monkeypatch.setattr("btlib.speed.machine.facts", lambda: {"cpu": "c1"})
    monkeypatch.setattr("btlib.speed.tuning.current", lambda: Mock(allocator="jemalloc"))
    found = environment()
    assert found == {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": "c1",
        "machine": "m1",
        "allocator": "jemalloc",
        "threads": "8",
        **{name: f"{name} 1" for name in PACKAGES if name != "torch"},
    }
    monkeypatch.delitem(sys.modules, "torch")
    assert environment("cuda").keys() == found.keys() - {"threads"}, "PyTorch is not imported to ask it"


def version_of(package: str) -> str:
    if package == "torch":
        raise metadata.PackageNotFoundError
    return f"{package} 1"


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_on_a_gpu(torch: Mock, device: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("btlib.runs.environment.driver", lambda: "570.86.15")
    found = environment(device)
    assert found["driver"] == "570.86.15"
    assert (found["cuda"], found["cudnn"], found["gpu"]) == ("13.0", "92400", "NVIDIA H200")
    assert found["fp32 by default"] == "convolutions tf32"
    torch.backends.cudnn.conv.fp32_precision = "ieee"
    assert environment(device)["fp32 by default"] == "ieee"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    assert environment(device)["fp32 by default"] == "products tf32"
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    assert environment(device)["fp32 by default"] == "convolutions tf32, products tf32"
    torch.backends.cudnn.version.return_value = None
    assert "cudnn" not in environment(device)


@pytest.mark.parametrize("device", ["cpu", None, "mps"])
def test_elsewhere(torch: Mock, device: str | None):
    assert not {"cuda", "cudnn", "driver", "fp32 by default"} & environment(device).keys()


@pytest.mark.parametrize(("text", "version"), [(VERSION, "570.86.15"), (OPEN, "565.57.01"), ("something else\n", None)])
def test_the_drivers_version(tmp_path: Path, text: str, version: str | None):
    (tmp_path / "version").write_text(text)
    assert driver(tmp_path / "version") == version
    assert driver(tmp_path / "nothing") is None
