"""Arrays of a run that belong together, in one `.npz` file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from btlib.errors import RecordError
from btlib.files import DamagedFileError
from btlib.npz import read_npz


def load_arrays(path: Path, layouts: Sequence[Mapping[str, str]], hint: str) -> dict[str, NDArray[Any]]:
    """Read arrays that belong together.

    Args:
        path: Path of the file.
        layouts: Name of each array → its dimensions, one letter each, such as "nhw"; a letter means the same length in
            all arrays. The first layout whose arrays are all present is used; later ones are those of older versions.
        hint: Hint for the user if the file is damaged.

    Raises:
        RecordError: The file cannot be read, or does not contain these arrays with these shapes.
    """
    try:
        every = read_npz(path, (), {name: "" for layout in layouts for name in layout})
        shapes = next((layout for layout in layouts if layout.keys() <= every.keys()), layouts[0])
        if missing := sorted(shapes.keys() - every.keys()):
            raise DamagedFileError(f"{', '.join(missing)} missing")
        found = {name: every[name] for name in shapes}
    except (OSError, DamagedFileError) as error:
        message = f"expected the arrays {', '.join(layouts[0])}, but it cannot be read: {error}"
        raise RecordError(message, where=path, hint=hint) from error
    lengths: dict[str, int] = {}
    for name, letters in shapes.items():
        shape = found[name].shape
        expected = ", ".join(str(lengths.get(letter, letter)) for letter in letters)
        pairs = zip(letters, shape, strict=False)
        if len(shape) != len(letters) or any(lengths.setdefault(letter, n) != n for letter, n in pairs):
            raise RecordError(f"expected {name} of shape ({expected}), got {shape}", where=path, hint=hint)
    return found
