"""The checks for a GPU, as far as the CPU can tell: they find what they look for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from btlib.cases import Case, Work, load_cases  # noqa: E402
from btlib.doctor.diagnosis import GPU_CHECKS  # noqa: E402
from btlib.errors import BtlibError  # noqa: E402
from btlib.thesis import gpu_checks as gpu  # noqa: E402


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gpu, "BACKBONE", "tiny")
    monkeypatch.setattr(gpu, "SIDE", 32)
    return


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in GPU_CHECKS if name != "graphs of each variant"])
def test_it_runs_on_the_cpu_too(name: str, tmp_path: Path):
    assert GPU_CHECKS[name](tmp_path, "cpu")


@pytest.mark.nightly
def test_each_variant_is_compiled(tmp_path: Path):
    message = gpu.graphs_of_each_variant(tmp_path, "cpu")
    assert all(f"{variant} 3" in message for variant in "ABCDEFG"), message


def test_memory_that_stays_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    case = load_cases()["D"]
    kept: list[torch.Tensor] = []

    def leaks(work: Work) -> object:
        kept.append(torch.zeros(4, 2**20))
        return case.prepare(work)

    cases: dict[str, Case] = {"D": replace(case, prepare=leaks)}
    monkeypatch.setattr(gpu, "load_cases", lambda: cases)
    monkeypatch.setattr(gpu, "VARIANTS", ["D"])
    with pytest.raises(BtlibError, match=r"MiB not released after each variant: D 16\.\d"):
        gpu.memory_after_each_fit(tmp_path, "cpu")


def test_only_memory_counts():
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        fake = torch.zeros(3)
    for value in (fake, torch.zeros(3, device="meta"), torch.eye(3).to_sparse(), "text", None):
        assert gpu._storage(value) is None
    parameter = torch.nn.Parameter(torch.zeros(3))
    assert gpu._storage(parameter) == gpu._storage(parameter.data) == (parameter.data_ptr(), 12)


def test_products_that_are_rounded_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = torch.nn.functional.conv2d

    def rounded(images: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return real(images, kernel if kernel.dtype == torch.float64 else kernel.bfloat16().float())

    monkeypatch.setattr(torch.nn.functional, "conv2d", rounded)
    with pytest.raises(BtlibError, match="error of IEEE fp32"):
        gpu.tf32_gap(tmp_path, "cpu")
