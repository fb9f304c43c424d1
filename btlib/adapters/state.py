"""State of a PyTorch training after an epoch, so that an interrupted training can resume."""

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from btlib import extras, files
from btlib.errors import BtlibError, CheckpointError, warn
from btlib.speed import memory

with extras.named():
    import torch

_CHEAP = 0.25  # seconds; if writing takes no longer than this, every epoch is written
_TIMES = 20


def is_damage(error: Exception) -> bool:
    """Whether an exception of `torch.load` means that the file is damaged, and not that memory ran out."""
    return not isinstance(error, BtlibError) and not memory.ran_out(error)


class StateFile:
    """File with the complete state, replaced atomically.

    With short epochs and a large state, as on a GPU, the state is not written after every epoch: writing takes at most
    one twentieth of the time. An interrupted run loses about twenty times the duration of one write.

    Args:
        path: Path of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.took = 0.0
        self.written = time.perf_counter()

    def write(self, save: Callable[[Path], object]) -> None:
        """Replace the file, unless the last write is too recent. `save` writes the new content to the given path."""
        began = time.perf_counter()
        if self.took > _CHEAP and began - self.written < _TIMES * self.took:
            return
        with files.atomic_path(self.path) as part:
            save(part)
            files.append_digest(part)  # PyTorch may read damaged files without an error
        self.written = time.perf_counter()
        self.took = self.written - began

    def read(self, key: str, map_location: str = "cpu") -> dict[str, Any] | None:
        """Return the state of the interrupted run, which contains `key`; None if there is no usable state.

        A damaged file is renamed, with a warning. If the file cannot be opened or memory runs out, the error is raised.
        """
        if not self.path.exists():
            return None
        with self.path.open("rb"):
            pass  # a file that cannot be opened is not damaged: the error is raised
        try:
            files.require_digest(self.path)
            state: dict[str, Any] = torch.load(self.path, map_location=map_location, weights_only=True)
            state[key]
            return state
        except Exception as error:  # a damaged file makes torch raise almost anything
            if not is_damage(error):
                raise
            problem = type(error).__name__
        aside = self.path.with_name(f"{self.path.name}.damaged")
        self.path.replace(aside)
        warn(
            f"{self.path}: the state of the interrupted run cannot be read ({problem}); "
            f"the file was renamed to {aside.name}, and training starts again",
            stacklevel=3,
        )
        return None


class Progress:
    """State of a custom training loop, so that it can resume after an interruption with the same result.

    Args:
        path: File for the state, in the folder that `fit_or_load` gives.
        parts: All objects that change from step to step, by name: modules, optimisers, schedules, `torch.Generator`s.
    """

    def __init__(self, path: Path, **parts: Any) -> None:
        self.file = StateFile(path)
        self.parts = parts
        self.proven = False

    def load(self) -> int:
        """Restore the parts to the last stored epoch, and return the number of finished epochs; 0 without a state.

        Raises:
            CheckpointError: The state does not fit, for example because it is from another device or library version.
        """
        state = self.file.read("epochs")
        if state is None:
            return 0
        try:
            for name, part in self.parts.items():
                restore = part.set_state if isinstance(part, torch.Generator) else part.load_state_dict
                restore(state["parts"][name])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"the interrupted training's {name} does not fit this one: {str(error).splitlines()[0]}",
                where=self.file.path,
                hint="resume with the original device and library versions, or start again with --bt-retrain",
            ) from error
        return int(state["epochs"])

    def keep(self, epochs: int) -> None:
        """Store the parts and the number of finished epochs.

        Raises:
            CheckpointError: The parts contain an object that could not be read again.
        """
        parts = {
            name: part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
            for name, part in self.parts.items()
        }
        self.file.write(lambda path: torch.save({"epochs": epochs, "parts": parts}, path))
        if not self.proven:
            self._prove()

    def _prove(self) -> None:
        """Check that the file can be read, so that the error appears after one epoch and not after an interruption."""
        try:
            torch.load(self.file.path, map_location="meta", weights_only=True)
        except pickle.UnpicklingError as error:
            self.file.path.unlink()
            raise CheckpointError(
                "a state contains more than tensors and plain Python values, and could not be read again",
                where=self.file.path,
                hint="avoid NumPy numbers in the state, for example use math.cos instead of np.cos in schedules",
            ) from error
        self.proven = True
