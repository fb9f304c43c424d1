"""What `--bt-deterministic` promises: bits, and that it is told apart from a training that need not be the same."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from btlib.adapters.devices import fastest_kernels  # noqa: E402
from btlib.cases import Work, fit_or_load  # noqa: E402
from btlib.data.dataset import Dataset  # noqa: E402
from btlib.protocol import Protocol  # noqa: E402
from btlib.runs.environment import environment  # noqa: E402
from btlib.speed import determinism  # noqa: E402
from btlib.splits import slice_seed42  # noqa: E402
from btlib.thesis.cases import plan_of  # noqa: E402
from btlib.thesis.recipe import ThesisRecipe  # noqa: E402
from btlib.thesis.training import fit  # noqa: E402


@pytest.fixture
def enforced() -> Iterator[None]:
    undo = determinism.enforce()
    yield
    undo()


@pytest.fixture
def work(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Work:
    recipe = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=2, batch_size=8, augment="flip")
    return Work.on(make_dataset(24), slice_seed42(24), Protocol(image_size=32), recipe, 7, tmp_path, device="cpu")


def test_it_is_set_and_everything_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    assert not determinism.is_enforced()
    for workspace in (None, ":16:8"):
        if workspace:
            monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", workspace)
        undo = determinism.enforce()
        assert determinism.is_enforced()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == (workspace or ":4096:8")
        assert environment()["deterministic"] == "yes"
        undo()
        assert not determinism.is_enforced()
        assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == workspace
    assert "deterministic" not in environment()


@pytest.mark.usefixtures("enforced")
def test_an_operation_that_has_no_deterministic_algorithm_raises():
    with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2), accumulate=False)


@pytest.mark.usefixtures("enforced")
def test_two_trainings_are_equal_to_the_bit(work: Work, tmp_path: Path):
    plan = plan_of("D", replace(work, deterministic=True))[0]
    one, other = (
        fit(plan, tmp_path / name, torch.device("cpu"), report=lambda line: None).model.state_dict() for name in "ab"
    )
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_number_of_threads_is_part_of_the_identity_only_where_bits_count(
    work: Work, monkeypatch: pytest.MonkeyPatch
):
    plain, asked = work, replace(work, deterministic=True)
    found = set()
    for threads in (1, 2):
        monkeypatch.setattr(determinism, "threads", lambda n=threads: n)
        found |= {
            ("plain", plan_of("D", plain)[0].fingerprint),
            (threads, plan_of("D", asked)[0].fingerprint),
            ("plain fit", fit_or_load(plain, "net", train, save=save, load=load).fingerprint),
            (f"fit {threads}", fit_or_load(asked, "net", train, save=save, load=load).fingerprint),
        }
    assert len(found) == len({identity for _, identity in found}) == 6


def train(folder: Path) -> int:
    return 1


def save(model: int, folder: Path) -> None:
    (folder / "a").write_text(str(model))


def load(folder: Path) -> int:
    return 1


def test_cudnn_looks_for_no_kernels_where_bits_count():
    """Which of them wins differs from run to run."""
    with fastest_kernels(torch.device("cuda")):
        assert torch.backends.cudnn.benchmark
    undo = determinism.enforce()
    try:
        with fastest_kernels(torch.device("cuda")):
            assert not torch.backends.cudnn.benchmark
    finally:
        undo()


@pytest.mark.parametrize("asked", ["3", "", "none"])
def test_threads_without_torch(asked: str):
    program = "from btlib.speed import determinism; print(determinism.threads())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": asked},
    )
    assert int(done.stdout) == 3 if asked == "3" else int(done.stdout) >= 1
