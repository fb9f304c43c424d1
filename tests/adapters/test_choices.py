"""Names of devices, and what PyTorch is asked for on each: every generator, clock and context of that device alone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from btlib.adapters import Outputs, device_choice, export, load_torch, state  # noqa: E402
from btlib.adapters import torch as torch_room  # noqa: E402
from btlib.adapters.device_choice import (  # noqa: E402
    check_available,
    gpu_name,
    has_torch_device,
    named_device,
    torch_name,
    where_it_runs,
)
from btlib.adapters.devices import forked_rng, resolve_precision, seed_rng, steady_kernels, synchronize  # noqa: E402
from btlib.adapters.state import Progress, StateFile  # noqa: E402
from btlib.adapters.torch import TorchPredictor  # noqa: E402
from btlib.errors import OptionError, UnknownNameError  # noqa: E402
from btlib.types import Predictions  # noqa: E402


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cpu", "cpu"),
        ("CPU:0", "cpu"),
        ("TFRT_CPU_0", "cpu"),
        ("gpu", "cuda"),
        ("gpu:0", "cuda:0"),
        ("rocm:2", "cuda:2"),
        ("CudaDevice(id=1)", "cuda:1"),
        ("/job:localhost/replica:0/task:0/device:GPU:10", "cuda:10"),
        ("METAL:0", "mps"),
        ("mps:0", "mps"),
        ("TPU_3(process=0)", None),
    ],
)
def test_devices_by_the_names_of_other_frameworks(name: str, expected: str | None) -> None:
    assert torch_name(name) == expected


def test_a_case_names_its_device_before_its_predictor_does() -> None:
    assert named_device(SimpleNamespace(device="cpu"), {"device": "cuda:1"}) == "cuda:1"
    assert named_device(SimpleNamespace(device=torch.device("cpu")), {}) == "cpu"
    assert named_device(object(), {}) is None


def test_a_device_that_is_not_there_is_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "mps"):
        with pytest.raises(OptionError, match=f"this machine has no {device} device"):
            check_available(device)
    check_available("auto")
    check_available("cpu")
    with pytest.raises(UnknownNameError):
        check_available("gpu")
    assert where_it_runs(object(), {}, "auto") == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert where_it_runs(object(), {}, "auto") == "mps"
    assert where_it_runs(object(), {}, "cpu") == "cpu"
    assert [has_torch_device(name) for name in ("cpu", "mps", "cuda:1", None)] == [True, True, False, False]
    assert [gpu_name(name) for name in ("mps", "cuda:1", "cpu", None)] == ["Apple GPU", None, None, None]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"name of {device}")
    assert [has_torch_device(name) for name in ("cpu", "mps", "cuda:1")] == [True, False, True]
    assert gpu_name("cuda:1") == "name of cuda:1"
    monkeypatch.setattr(device_choice, "find_spec", lambda name: None)
    check_available("cuda")
    assert where_it_runs(object(), {}, "auto") == "cpu"
    assert not has_torch_device("cpu")


@pytest.mark.parametrize(("device", "asked"), [("cpu", []), ("cuda:1", ["cuda"]), ("mps", ["mps"])])
def test_a_device_alone_is_seeded_and_waited_for(
    monkeypatch: pytest.MonkeyPatch, device: str, asked: list[str]
) -> None:
    named, seen, forked = torch.device(device), list[tuple[str, object]](), list[dict[str, object]]()

    @contextlib.contextmanager
    def fork(**given: object) -> Iterator[None]:
        forked.append(given)
        yield

    @contextlib.contextmanager
    def on(given: object) -> Iterator[None]:
        assert given == named
        yield

    monkeypatch.setattr(torch.random, "fork_rng", fork)
    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: seen.append(("cuda", seed)))
    monkeypatch.setattr(torch.mps, "manual_seed", lambda seed: seen.append(("mps", seed)))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda given: seen.append(("cuda", given)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: seen.append(("mps", None)))
    before = torch.get_rng_state()
    seed_rng(9, named)
    assert torch.default_generator.initial_seed() == 9
    synchronize(named)
    waited = {"cuda": named, "mps": None}
    assert seen == [(kind, value) for kind in asked for value in (9, waited[kind])]
    with forked_rng(named):
        pass
    assert forked == [
        {"cpu": {"devices": []}, "cuda": {"devices": [named]}, "mps": {"devices": [0], "device_type": "mps"}}[
            named.type
        ]
    ]
    torch.set_rng_state(before)


def test_bf16_on_a_gpu_is_chosen_where_it_is_not_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    for supported in (True, False):
        known = Mock(return_value=supported)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", known)
        assert resolve_precision("auto", torch.device("cuda")) == ("bf16" if supported else "fp32")
        known.assert_called_once_with(including_emulation=False)
        assert resolve_precision("fp32", torch.device("cuda")) == "fp32"
        assert resolve_precision("bf16", torch.device("cuda")) == "bf16"


def test_what_the_user_set_of_cudnn_is_afterwards_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn = torch.backends.cudnn
    for before in ((True, False), (False, True), (True, True)):
        monkeypatch.setattr(cudnn, "benchmark", before[0])
        monkeypatch.setattr(cudnn, "deterministic", before[1])
        with contextlib.suppress(KeyError), steady_kernels():
            assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
            raise KeyError
        assert (cudnn.benchmark, cudnn.deterministic) == before


def test_a_program_is_loaded_as_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, outputs = Mock(return_value=lambda images: images), Outputs(0)
    monkeypatch.setattr(torch_room, "_program", program)
    found = load_torch(tmp_path / "net.pt", outputs, "cpu", "bf16", 3)
    assert (found.device, found.precision, found.outputs, found.channels) == (torch.device("cpu"), "bf16", outputs, 3)
    program.assert_called_once_with(tmp_path / "net.pt", torch.device("cpu"))


def test_a_module_is_laid_out_channels_last() -> None:
    module = torch.nn.Conv2d(3, 4, 3)
    TorchPredictor(module, "cpu", outputs=Outputs(0), channels=3)
    assert module.weight.is_contiguous(memory_format=torch.channels_last)
    assert not module.weight.is_contiguous()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(state, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


@pytest.mark.parametrize(("cost", "pause", "writes"), [(0.5, 9.9, 1), (0.5, 10.0, 2), (0.25, 0.0, 2), (0.3, 5.9, 1)])
def test_a_state_is_passed_over_where_writing_would_cost_more_than_a_twentieth(
    tmp_path: Path, clock: list[float], cost: float, pause: float, writes: int
) -> None:
    file, wrote = StateFile(tmp_path / "last.ckpt"), list[Path]()

    def save(path: Path) -> None:
        clock[0] += cost
        wrote.append(path)
        path.write_text(f"{len(wrote)}")

    file.write(save)
    clock[0] += pause
    file.write(save)
    assert len(wrote) == writes
    assert (tmp_path / "last.ckpt").read_text().startswith(f"{writes}\n")


def test_a_state_that_could_not_be_written_whole_leaves_the_one_before(tmp_path: Path) -> None:
    def half(path: Path) -> None:
        path.write_text("half")
        raise OSError("no space left")

    for before in ([], ["the old one"]):
        for text in before:
            (tmp_path / "last.ckpt").write_text(text)
        with pytest.raises(OSError, match="no space left"):
            StateFile(tmp_path / "last.ckpt").write(half)
        assert [path.read_text() for path in tmp_path.iterdir()] == before


def test_that_a_state_can_be_read_again_is_proven_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Mock(wraps=torch.load)
    monkeypatch.setattr(torch, "load", load)
    progress = Progress(tmp_path / "last.pt", model=torch.nn.Linear(1, 1))
    progress.keep(1)
    progress.keep(2)
    assert load.call_count == 1
    assert progress.load() == 2


def test_parity_is_of_the_largest_difference_of_any_probability_and_of_any_samples_dice() -> None:
    mask = np.zeros((2, 3, 4))
    mask[0, 0, :2] = 0.75
    other = mask.copy()
    other[0, 0, 1], other[1, 2, 3] = 0.5625, 0.1
    truth = np.zeros((2, 3, 4), bool)
    truth[0, 0, :2] = True
    classes = np.array([[0.5, 0.25, 0.25], [1, 0, 0]])
    found = export._parity(Predictions(mask, classes), Predictions(other, classes - 0.125), truth, 0.6)
    assert (found.samples, found.probabilities) == (2, 0.1875)
    assert found.dice == pytest.approx(1 / 3, abs=1e-6), "of 2 pixels one is lost: 1 to 2 / 3"
    turned = export._parity(Predictions(other, classes), Predictions(mask, classes), truth, 0.6)
    assert turned.dice == found.dice, "whichever is the better"
    alone = export._parity(Predictions(None, classes), Predictions(None, classes - 0.125), truth, 0.6)
    assert (alone.probabilities, alone.dice) == (0.125, None)


@pytest.mark.parametrize(
    ("probabilities", "dice", "keeps"),
    [
        (1e-4, 1e-3, True),
        (1.1e-4, 0.0, False),
        (0.0, 1.1e-3, False),
        (0.0, None, True),
        (float("nan"), None, False),
        (0.0, float("nan"), False),
    ],
)
def test_an_exported_file_is_kept_within_both_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probabilities: float, dice: float | None, keeps: bool
) -> None:
    def write(module: Any, images: Any, names: Any, part: Path, path: Any) -> None:
        part.write_text("a file")

    monkeypatch.setattr(export, "_write", write)
    monkeypatch.setattr(export, "OnnxPredictor", lambda path, providers: Mock())
    parity = export.Parity(2, probabilities, dice)
    monkeypatch.setattr(export, "_parity", lambda *given: parity)
    predictor = TorchPredictor(torch.nn.Identity(), "cpu", outputs=Outputs(0))
    images, path = np.zeros((2, 1, 3, 4), np.float32), tmp_path / "net.onnx"
    with contextlib.nullcontext() if keeps else pytest.raises(Exception, match="differ from the model's"):
        export.export_onnx(predictor, path, images, images > 0)
    assert [found.name for found in tmp_path.iterdir()] == (["net.onnx"] if keeps else [])
