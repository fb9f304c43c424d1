"""Arrays of a run, in `.npz` files: the one place that writes and reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.errors import RecordError


def save_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays (or texts) under their names, compressed, atomically.

    Raises:
        ValueError: An array is of objects, which NumPy would pickle.
    """
    of_objects = [name for name, array in arrays.items() if np.asarray(array).dtype.hasobject]
    if of_objects:
        raise ValueError(f"arrays of objects cannot be written: {', '.join(of_objects)}")
    with files.atomic_path(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)  # NumPy 1.26 has no `allow_pickle` here: it would be an array more


def load_arrays(path: Path, shapes: Mapping[str, str], mend: str) -> dict[str, NDArray[Any]]:
    """Read arrays that belong together.

    Args:
        path: The file.
        shapes: Name of each array → its dimensions, a letter each, such as "nhw"; a letter has one length in all.
        mend: What the user can do where the file is damaged.

    Raises:
        RecordError: The file cannot be read, or does not hold these arrays in these shapes.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            found = {name: kept[name] for name in shapes}
    except Exception as error:  # a damaged file makes numpy and zipfile raise almost anything
        told = f"expected the arrays {', '.join(shapes)}, but it cannot be read: {str(error) or type(error).__name__}"
        raise RecordError(told, where=path, mend=mend) from error
    lengths: dict[str, int] = {}
    for name, letters in shapes.items():
        shape = found[name].shape
        expected = ", ".join(str(lengths.get(letter, letter)) for letter in letters)
        pairs = zip(letters, shape, strict=False)
        if len(shape) != len(letters) or any(lengths.setdefault(letter, n) != n for letter, n in pairs):
            raise RecordError(f"expected {name} of shape ({expected}), got {shape}", where=path, mend=mend)
    return found
