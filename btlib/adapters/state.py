"""The state of a training in PyTorch after an epoch, so that an interrupted one goes on where it stood."""

import pickle
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from btlib import extras, files
from btlib.errors import BtlibError, BtlibWarning, CheckpointError
from btlib.speed import memory

with extras.named():
    import torch

_CHEAP = 0.25  # seconds; writing that takes no longer is never passed over
_TIMES = 20


def is_damage(error: Exception) -> bool:
    """Whether what `torch.load` raised speaks of the file: not if memory ran out."""
    return not isinstance(error, BtlibError) and not memory.ran_out(error)


class StateFile:
    """One file with the whole state, replaced atomically.

    Where epochs are short and the state is large, as on a GPU, an epoch is passed over when writing would take more
    than a twentieth of the time: an interrupted run loses twenty times what one writing takes, at most.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.took = 0.0
        self.written = time.perf_counter()

    def write(self, save: Callable[[Path], object]) -> None:
        """Replace the file by what `save` writes to the path it is given."""
        began = time.perf_counter()
        if self.took > _CHEAP and began - self.written < _TIMES * self.took:
            return
        with files.atomic_path(self.path) as part:
            save(part)
            files.append_digest(part)  # PyTorch reads damaged files without a word
        self.written = time.perf_counter()
        self.took = self.written - began

    def read(self, key: str, map_location: str = "cpu") -> dict[str, Any] | None:
        """What the interrupted run left, which has `key`; None if there is nothing.

        A damaged file is set aside with a warning. That it cannot be opened, or that memory ran out, is no damage, and
        raised.
        """
        if not self.path.exists():
            return None
        with self.path.open("rb"):
            pass  # that it cannot be opened is no damage
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
        warnings.warn(
            f"{self.path}: the state of the interrupted run cannot be read ({problem}); "
            f"kept as {aside.name}, training starts again",
            BtlibWarning,
            stacklevel=3,
        )
        return None


class Progress:
    """What one's own loop over epochs needs to go on after an interruption, and to end as if there had been none.

    Args:
        path: The file for it, in the folder that `fit_or_load` gives.
        parts: All that changes from step to step, by name: modules, optimisers, schedules, `torch.Generator`s.
    """

    def __init__(self, path: Path, **parts: Any) -> None:
        self.file = StateFile(path)
        self.parts = parts
        self.proven = False

    def load(self) -> int:
        """How many epochs were finished; the parts are then as they were after the last of them.

        Raises:
            CheckpointError: The state is of another device, or of other versions of the libraries.
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
                hint="go on with the device and the versions it began with, or start again with --bt-retrain",
            ) from error
        return int(state["epochs"])

    def keep(self, epochs: int) -> None:
        """Write the parts down, with so many epochs finished.

        Raises:
            CheckpointError: They hold something that could not be read again.
        """
        parts = {
            name: part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
            for name, part in self.parts.items()
        }
        self.file.write(lambda path: torch.save({"epochs": epochs, "parts": parts}, path))
        if not self.proven:
            self._prove()

    def _prove(self) -> None:
        """Told after one epoch, not after the interruption."""
        try:
            torch.load(self.file.path, map_location="meta", weights_only=True)
        except pickle.UnpicklingError as error:
            self.file.path.unlink()
            raise CheckpointError(
                "a state holds more than tensors and plain Python values, and could not be read again",
                where=self.file.path,
                hint="keep NumPy's numbers out of it: let schedules use math.cos, not np.cos",
            ) from error
        self.proven = True
