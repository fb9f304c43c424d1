"""Which files of a folder are slices: `1.mat` … `3064.mat`, in numeric order."""

import os
import re
from pathlib import Path

from btlib.data.faults import joined
from btlib.errors import DataError

HINT = "replace or remove these files; `btlib data verify` lists all of them, each with its remedy"
"""What a user can do about faulty slices."""

CVIND = "cvind.mat"
"""The dataset's own cross-validation folds: in the same download, but not a slice."""

_NAME = re.compile(r"([0-9]+)\.mat", flags=re.IGNORECASE)
_DIGITS = 18  # of a number that an int64 holds
_GET = "get the slices with `btlib data download`, or make phantoms with `btlib data phantom`"


def slice_number(path: Path) -> int:
    """The number in a slice's file name (`7.mat` is 7).

    Raises:
        DataError: The name is not a number from 1, followed by `.mat`.
    """
    if path.name.lower() == CVIND:
        raise DataError(
            "holds the cross-validation folds, not a slice", where=path, hint="name a numbered file such as 1.mat"
        )
    number = _number(path.name)
    if number is None:
        raise _misnamed(path)
    return number


def slice_folder(folder: Path) -> Path:
    """The folder in which the slices lie: `folder/data` where there is one, else `folder`.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        came = "a file" if folder.exists() else "nothing"
        raise DataError(f"expected a folder of slices, found {came}", where=folder, hint=_GET)
    inner = folder / "data"
    return inner if inner.is_dir() else folder


def count_slices(folder: Path) -> int:
    """How many files in a folder may be slices, by their ending; 0 where there is no such folder."""
    return sum(1 for _ in folder.glob("*.mat")) if folder.is_dir() else 0


def sort_out(home: Path) -> tuple[dict[int, str], list[DataError]]:
    """The slices in `home` by number, in numeric order, and a fault for every `.mat` file that cannot be one of them.

    Hidden files and files of other kinds are left alone, and so is `cvind.mat`. Names, not paths: those of 100 000
    slices would take 50 MB and most of a second.
    """
    found: dict[int, str] = {}
    faults = []
    for name in sorted(os.listdir(home)):  # noqa: PTH208 - as above
        if not name.lower().endswith(".mat") or name.startswith(".") or name.lower() == CVIND:
            continue
        number = _number(name)
        if number is None:
            faults.append(_misnamed(home / name))
        elif number in found:
            faults.append(_twice(home / name, found[number], number))
        else:
            found[number] = name
    return dict(sorted(found.items())), faults


def list_names(folder: Path) -> tuple[Path, list[str]]:
    """Where the slices of a folder lie, and their names in numeric order; `cvind.mat` is left out.

    Raises:
        DataError: No such folder, no slices in it, two files of one number (`7.mat`, `07.mat`), or another `.mat`.
    """
    home = slice_folder(folder)
    found, faults = sort_out(home)
    if faults:
        raise joined(faults, folder, HINT)
    if not found:
        raise DataError("no slices (1.mat, 2.mat …) in this folder", where=home, hint=_GET)
    return home, list(found.values())


def list_slices(folder: Path | str) -> list[Path]:
    """The slices of a folder, or of its `data/` folder, in numeric order; `cvind.mat` is left out.

    Raises:
        DataError: As `list_names`.
    """
    home, names = list_names(Path(folder))
    return [home / name for name in names]


def _number(name: str) -> int | None:
    match = _NAME.fullmatch(name)
    digits = match[1].lstrip("0") if match else ""
    return int(digits) if 0 < len(digits) <= _DIGITS else None


def _misnamed(path: Path) -> DataError:
    return DataError(
        f"expected a file name of the form NUMBER.mat with a number from 1 of at most {_DIGITS} digits, got "
        f"{path.name!r}",
        where=path,
        hint="rename the file, or move it out of the folder",
    )


def _twice(path: Path, first: str, number: int) -> DataError:
    return DataError(f"slice {number} is there twice: {first} as well", where=path, hint="keep one of the two")
