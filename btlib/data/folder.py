"""Which files of a folder are slices: `1.mat` … `3064.mat`, in numeric order."""

import os
import re
from collections import defaultdict
from pathlib import Path

from btlib.errors import DataError

CVIND = "cvind.mat"
"""The dataset's own cross-validation folds: in the same download, but not a slice."""

_GET = "get the slices with `btlib data download`, or make phantoms with `btlib data phantom`"


def slice_number(path: Path) -> int:
    """The number in a slice's file name (`7.mat` is 7).

    Raises:
        DataError: The name is not a number from 1, followed by `.mat`.
    """
    if path.name.lower() == CVIND:
        raise DataError(
            "holds the cross-validation folds, not a slice", where=path, mend="name a numbered file such as 1.mat"
        )
    match = re.fullmatch(r"([0-9]+)\.mat", path.name, flags=re.IGNORECASE)
    if match is None or int(match[1]) < 1:
        raise DataError(
            f"expected a file name of the form NUMBER.mat with a number from 1, got {path.name!r}",
            where=path,
            mend="rename the file, or move it out of the folder",
        )
    return int(match[1])


def slice_folder(folder: Path) -> Path:
    """The folder in which the slices lie: `folder/data` where there is one, else `folder`.

    Raises:
        DataError: There is no such folder.
    """
    if not folder.is_dir():
        came = "a file" if folder.exists() else "nothing"
        raise DataError(f"expected a folder of slices, found {came}", where=folder, mend=_GET)
    inner = folder / "data"
    return inner if inner.is_dir() else folder


def sort_out(folder: Path) -> tuple[list[Path], list[DataError]]:
    """The slices of a folder in numeric order, and a fault for every `.mat` file that cannot be one of them.

    Hidden files and files of other kinds are left alone, and so is `cvind.mat`.

    Raises:
        DataError: There is no such folder.
    """
    home = slice_folder(folder)
    by_number: dict[int, list[Path]] = defaultdict(list)
    faults = []
    for name in sorted(os.listdir(home)):  # noqa: PTH208 - pathlib's iterdir makes 3064 objects too many
        if not name.lower().endswith(".mat") or name.startswith(".") or name.lower() == CVIND:
            continue
        try:
            by_number[slice_number(home / name)].append(home / name)
        except DataError as fault:
            faults.append(fault)
    for number, paths in by_number.items():
        faults += [_twice(path, paths[0], number) for path in paths[1:]]
    return [by_number[number][0] for number in sorted(by_number)], faults


def list_slices(folder: Path | str) -> list[Path]:
    """The slices of a folder, or of its `data/` folder, in numeric order; `cvind.mat` is left out.

    Raises:
        DataError: No such folder, no slices in it, two files of one number (`7.mat`, `07.mat`), or another `.mat`.
    """
    folder = Path(folder)
    paths, faults = sort_out(folder)
    if faults:
        raise joined(faults, folder)
    if not paths:
        raise DataError("no slices (1.mat, 2.mat …) in this folder", where=slice_folder(folder), mend=_GET)
    return paths


def joined(faults: list[DataError], folder: Path, show: int = 20) -> DataError:
    """One error for many faulty files, listing the first of them."""
    if len(faults) == 1:
        return faults[0]
    lines = [f"  {Path(fault.where or '?').name}: {fault.problem}" for fault in faults[:show]]
    if len(faults) > show:
        lines.append(f"  … and {len(faults) - show} more")
    return DataError(
        "\n".join([f"{len(faults)} faulty files", *lines]),
        where=folder,
        mend="replace or remove these files; `btlib data verify` lists all of them, each with its remedy",
    )


def _twice(path: Path, first: Path, number: int) -> DataError:
    return DataError(f"slice {number} is there twice: {first.name} as well", where=path, mend="keep one of the two")
