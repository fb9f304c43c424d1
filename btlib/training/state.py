"""The state of a training after an epoch, so that an interrupted one goes on where it stood."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from btlib import files
from btlib.errors import BtlibWarning

_CHEAP = 0.25  # seconds; writing that takes no longer is never passed over
_TIMES = 20


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
        self.written = time.perf_counter()
        self.took = self.written - began

    def read(self, map_location: str = "cpu") -> dict[str, Any] | None:
        """What the interrupted run left; None if there is nothing, or, with a warning, nothing that can be read."""
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location=map_location, weights_only=True)
            return state
        except Exception as error:  # whatever a damaged file makes torch raise, the answer is to start again
            why = f"cannot be read ({type(error).__name__}); training starts again"
            warnings.warn(
                f"{self.path}: the state of the interrupted run {why}",
                BtlibWarning,
                stacklevel=3,
            )
            self.path.unlink()
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

    def load(self) -> int:
        """How many epochs were finished; the parts are then as they were after the last of them."""
        state = self.file.read()
        if state is None:
            return 0
        for name, part in self.parts.items():
            restore = part.set_state if isinstance(part, torch.Generator) else part.load_state_dict
            restore(state["parts"][name])
        return int(state["epochs"])

    def keep(self, epochs: int) -> None:
        """Write the parts down, with so many epochs finished."""
        parts = {
            name: part.get_state() if isinstance(part, torch.Generator) else part.state_dict()
            for name, part in self.parts.items()
        }
        self.file.write(lambda path: torch.save({"epochs": epochs, "parts": parts}, path))
