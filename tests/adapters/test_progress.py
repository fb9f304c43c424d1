"""A loop of one's own, cut between any two epochs and taken up, ends as the uncut one does."""

import math
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from btlib.adapters import Progress, state
from btlib.adapters.state import StateFile
from btlib.errors import BtlibWarning, CheckpointError, OptionError

EPOCHS = 4


class Loop:
    """Dropout-free training whose every part moves: momentum, a schedule, a running average, two generators."""

    def __init__(self, path: Path) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.LazyLinear(1))
            self.model(torch.zeros(2, 1, 5, 7))
        self.order, self.rng = (torch.Generator().manual_seed(seed) for seed in (1, 2))
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
        self.step, self.turn = optimizer.step, schedule.step
        self.progress = Progress(
            path, model=self.model, optimizer=optimizer, schedule=schedule, order=self.order, rng=self.rng
        )

    def run(self, until: int = EPOCHS) -> Tensor:
        images = torch.linspace(-1, 1, 6 * 35).reshape(6, 1, 5, 7)
        for epoch in range(self.progress.load(), until):
            for chosen in torch.randperm(6, generator=self.order).split(2):
                noisy = images[chosen] + torch.randn(2, 1, 5, 7, generator=self.rng)
                self.model.zero_grad()
                (self.model(noisy) - images[chosen].sum(dim=(1, 2, 3))[:, None]).square().mean().backward()
                self.step()
                self.turn()
            self.progress.keep(epoch + 1)
        return nn.utils.parameters_to_vector(self.model.state_dict().values())


@pytest.mark.parametrize("cuts", [(1,), (3,), (1, 2, 3), (EPOCHS,)])
def test_it_ends_as_the_uncut_one(tmp_path: Path, cuts: tuple[int, ...]):
    whole = Loop(tmp_path / "whole.pt").run()
    ends = [Loop(tmp_path / "cut.pt").run(until) for until in (*cuts, EPOCHS)]
    assert torch.equal(ends[-1], whole)
    assert cuts == (EPOCHS,) or not torch.equal(ends[0], whole)


def test_it_knows_how_far_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(state, "_CHEAP", math.inf)  # on a slow disk an epoch is passed over
    assert Loop(tmp_path / "last.pt").progress.load() == 0
    Loop(tmp_path / "last.pt").run(3)
    assert Loop(tmp_path / "last.pt").progress.load() == 3


@pytest.mark.parametrize("damage", [lambda held: held[:1000], lambda held: b"", lambda held: held[::-1]])
def test_a_damaged_state_starts_again_and_says_so(tmp_path: Path, damage: Callable[[bytes], bytes]):
    whole = Loop(tmp_path / "whole.pt").run()
    Loop(tmp_path / "cut.pt").run(2)
    (tmp_path / "cut.pt").write_bytes(damage((tmp_path / "cut.pt").read_bytes()))
    with pytest.warns(BtlibWarning, match=r"cut\.pt: .* training starts again"):
        assert torch.equal(Loop(tmp_path / "cut.pt").run(), whole)
    assert (tmp_path / "cut.pt.damaged").exists()


def test_what_is_no_damage_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Loop(tmp_path / "last.pt").run(2)
    whole = (tmp_path / "last.pt").read_bytes()
    memory = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
    for error in (MemoryError(), memory, OptionError("deliberate")):
        with monkeypatch.context() as patch:
            patch.setattr(torch, "load", Mock(side_effect=error))
            with pytest.raises(type(error)):
                Loop(tmp_path / "last.pt").run()
    assert (tmp_path / "last.pt").read_bytes() == whole


def test_a_state_of_another_device_or_library_is_told(tmp_path: Path):
    """What torch says of a CUDA generator's state on the CPU, and of tensors that were renamed."""
    for part, other in (("rng", torch.zeros(16, dtype=torch.uint8)), ("model", {"renamed": torch.zeros(1)})):
        path = tmp_path / f"{part}.pt"
        Loop(path).run(2)
        kept = torch.load(path, weights_only=True)
        kept["parts"][part] = other
        StateFile(path).write(lambda file, kept=kept: torch.save(kept, file))  # type: ignore[misc]
        with pytest.raises(CheckpointError, match=f"{part} does not fit this one") as caught:
            Loop(path).run()
        assert str(path) in str(caught.value)
        assert "--bt-retrain" in str(caught.value)


def test_a_state_that_could_not_be_read_again_is_told_at_once(tmp_path: Path):
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: np.cos(step))
    optimizer.step()
    schedule.step()
    with pytest.raises(CheckpointError, match=r"math\.cos"):
        Progress(tmp_path / "last.pt", model=model, optimizer=optimizer, schedule=schedule).keep(1)
    assert list(tmp_path.iterdir()) == []
