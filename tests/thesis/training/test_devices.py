"""Training seeds the device that it is given and no other, and computes as its precision says."""

import contextlib
import dataclasses
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from btlib.adapters.devices import forked_rng, seed_rng
from btlib.data.dataset import Samples
from btlib.explain.sanity import cascade
from btlib.thesis.training import Plan, fit
from btlib.thesis.training.batches import DeviceBatches
from btlib.thesis.training.initial import build
from btlib.thesis.training.module import Trainee

Make = Callable[..., Plan]
CPU = torch.device("cpu")


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with two GPUs on which nothing may be woken; what was asked of them."""
    asked: list[str] = []
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda *_, **__: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("get_rng_state", "set_rng_state", "manual_seed_all", "manual_seed", "init"):
        monkeypatch.setattr(torch.cuda, name, lambda *args, name=name, **_: asked.append(f"{name}{args}"))

    @contextlib.contextmanager
    def device(named: torch.device) -> Iterator[None]:
        asked.append(f"device({named!r})")
        yield

    monkeypatch.setattr(torch.cuda, "device", device)
    return asked


def test_on_the_cpu_no_gpu_is_asked(make_plan: Make, two_gpus: list[str]):
    for _ in cascade(build(make_plan()), seed=3):
        pass
    assert two_gpus == []


def test_training_forks_and_seeds_the_generators_of_its_device_alone(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch
):
    forked: list[object] = []
    fork = torch.random.fork_rng
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices=None: forked.append(devices) or fork(devices))
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("it seeds the generators of every device"))
    fit(make_plan(epochs=1), tmp_path, CPU, report=lambda line: None)
    assert forked
    assert all(devices == [] for devices in forked)


def test_on_a_gpu_that_one_is_asked(two_gpus: list[str]):
    """Where several are there, without a word of PyTorch on those that were not named: warnings are errors."""
    second = torch.device("cuda", 1)
    with forked_rng(second):
        seed_rng(5, second)
    asked = [call.partition("(")[0] for call in two_gpus]
    assert asked == ["get_rng_state", "device", "manual_seed", "set_rng_state"]
    assert all("index=1" in call or "5" in call for call in two_gpus)


def test_what_is_drawn_inside_leaves_no_trace():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with forked_rng(CPU):
        seed_rng(9, CPU)
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with forked_rng(CPU):
        seed_rng(9, CPU)
        assert torch.equal(torch.rand(3), first)


@pytest.mark.parametrize(("precision", "exact"), [("fp32", "ieee"), ("bf16", "tf32")])
def test_fp32_is_trained_in_ieee_fp32(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch, precision: str, exact: str
):
    """Forward and backward: what cuDNN is allowed is one setting of the whole process."""
    seen: set[str] = set()
    step = Trainee.training_step

    def spy(self: Trainee, *args: object) -> torch.Tensor:
        loss = step(self, *args)
        look = lambda *_: seen.add(torch.backends.cudnn.conv.fp32_precision)  # noqa: E731
        look()
        loss.register_hook(look)
        return loss

    monkeypatch.setattr(Trainee, "training_step", spy)
    fit(dataclasses.replace(make_plan(epochs=1), precision=precision), tmp_path, CPU, report=lambda line: None)
    assert seen == {exact}


@pytest.mark.parametrize("fails", [False, True])
def test_samples_on_the_device_go_with_the_training(
    tmp_path: Path, make_plan: Make, monkeypatch: pytest.MonkeyPatch, fails: bool
):
    """At once, and not when Python next looks for cycles: the engine that is built next needs the room."""
    seen: list[weakref.ref[torch.Tensor]] = []

    def on_the_device(train: Samples, val: Samples, device: torch.device) -> tuple[DeviceBatches, DeviceBatches]:
        found = DeviceBatches(train, device), DeviceBatches(val, device)
        seen.extend(weakref.ref(part) for one in found for part in (one.images, one.masks, one.labels))
        return found

    def step(self: Trainee, *_: object) -> torch.Tensor:
        raise MemoryError

    monkeypatch.setattr(sys.modules["btlib.thesis.training.fitting"], "batches_of", on_the_device)
    if fails:
        monkeypatch.setattr(Trainee, "training_step", step)
    gc.disable()
    try:
        if fails:
            with pytest.raises(MemoryError):
                fit(make_plan(epochs=1), tmp_path, CPU, report=lambda line: None)
        else:
            model = fit(make_plan(epochs=1), tmp_path, CPU, report=lambda line: None).model
            assert all(parameter.grad is None for parameter in model.parameters())
        assert len(seen) == 6
        assert all(ref() is None for ref in seen)
    finally:
        gc.enable()
