"""Slice files of a folder: `1.mat` … `3064.mat`, in numeric order."""

import os
import re
from pathlib import Path

from btlib.data.faults import joined
from btlib.errors import DataError

HINT = "replace or remove these files; `btlib data verify` lists all of them with hints"
"""Hint for the user about faulty slices."""

CVIND = "cvind.mat"
"""File of the data set's cross-validation folds: part of the same download, but not a slice."""

_NAME = re.compile(r"([0-9]+)\.mat", flags=re.IGNORECASE)
_DIGITS = 18  # of a number that fits into int64
_GET = "download the slices with `btlib data download`, or make phantoms with `btlib data phantom`"


def slice_number(path: Path) -> int:
    """Return the number in a slice's file name (`7.mat` is 7).

    Raises:
        DataError: The name is not a number from 1, followed by `.mat`.
    """
    if path.name.lower() == CVIND:
        raise DataError(
            "contains the cross-validation folds, not a slice", where=path, hint="name a numbered file such as 1.mat"
        )
    number = _number(path.name)
    if number is None:
        raise _misnamed(path)
    return number


def slice_folder(folder: Path) -> Path:
    """Return the folder of the slices: `folder/data` if it exists, otherwise `folder`.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        came = "a file" if folder.exists() else "nothing"
        raise DataError(f"expected a folder of slices, found {came}", where=folder, hint=_GET)
    inner = folder / "data"
    return inner if inner.is_dir() else folder


def count_slices(folder: Path) -> int:
    """Number of `.mat` files in a folder; 0 if there is no such folder."""
    return sum(1 for _ in folder.glob("*.mat")) if folder.is_dir() else 0


def sort_out(home: Path) -> tuple[dict[int, str], list[DataError]]:
    """Return the slices in `home` by number, in numeric order, and a fault for every other `.mat` file.

    Hidden files, files of other kinds and `cvind.mat` are ignored. The slices are returned as names: paths of 100 000
    slices would take 50 MB and almost a second.
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
    """Return the folder that contains the slices, and their names in numeric order, without `cvind.mat`.

    Raises:
        DataError: There is no such folder, it contains no slices, two files have one number (`7.mat`, `07.mat`), or
            there is another `.mat` file.
    """
    home = slice_folder(folder)
    found, faults = sort_out(home)
    if faults:
        raise joined(faults, folder, HINT)
    if not found:
        raise DataError("no slices (1.mat, 2.mat …) in this folder", where=home, hint=_collect(folder) or _GET)
    return home, list(found.values())


def _collect(folder: Path) -> str | None:
    """Return a hint for a folder with downloaded zip files, or with slices in folders of their own."""
    packed = next((path for depth in ("*", "*/*") for path in folder.glob(f"{depth}.zip")), None)
    loose = next((path for depth in ("*/*", "*/*/*") for path in folder.glob(f"{depth}.mat")), None)
    if packed is None and loose is None:
        return None
    return f"collect the slices of its zip files and folders with `btlib data import figshare {folder} OUT`"


def list_slices(folder: Path | str) -> list[Path]:
    """Return the slices of a folder, or of its `data/` folder, in numeric order, without `cvind.mat`.

    Raises:
        DataError: In the same cases as `list_names`.
    """
    home, names = list_names(Path(folder))
    return [home / name for name in names]


def _number(name: str) -> int | None:
    match = _NAME.fullmatch(name)
    digits = match[1].lstrip("0") if match else ""
    return int(digits) if 0 < len(digits) <= _DIGITS else None


def _misnamed(path: Path) -> DataError:
    return DataError(
        f"expected a file name NUMBER.mat with a number from 1 and at most {_DIGITS} digits, got {path.name!r}",
        where=path,
        hint="rename the file, or move it out of the folder",
    )


def _twice(path: Path, first: str, number: int) -> DataError:
    return DataError(
        f"slice {number} exists twice, {first} has the same number", where=path, hint="keep one of the two"
    )
