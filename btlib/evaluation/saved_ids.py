"""Ids in a file of saved predictions: checked when they are read, with hints for ids of another form."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray


class WrongIdsError(ValueError):
    """Ids are invalid.

    Args:
        problem: What was expected and what was found.
        hint: Hint for the user how to solve the problem.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


def texts(ids: NDArray[Any]) -> list[str]:
    """Return ids that are stored as text [n].

    Raises:
        WrongIdsError: They are not text, not in one axis, or one is blank.
    """
    if ids.ndim != 1 or ids.dtype.kind != "U":
        hint = {
            "S": "write text: np.char.decode(id, 'utf-8')",
            "i": "write text, np.array(id, dtype=str); or whole numbers from 1 as `number` in place of id",
            "u": "write text, np.array(id, dtype=str); or whole numbers from 1 as `number` in place of id",
            "f": "write the ids as the data set has them, as text; 7.0 is not the id 7",
        }.get(ids.dtype.kind, "write the ids of the data set (Dataset.ids) as text [n]")
        if ids.dtype.kind == "U":
            hint = "write one id for each row: id.ravel()"
        raise WrongIdsError(f"id: expected text [n], got {ids.dtype} {ids.shape}", hint)
    found = [str(name) for name in ids.tolist()]
    _require_unique(found)
    if any(not name.strip() for name in found):
        raise WrongIdsError("id: a text is blank", "write the id of the data set in every row")
    return found


def numbers(values: NDArray[Any]) -> list[str]:
    """Return ids that are stored as whole numbers [n] from 1.

    Raises:
        WrongIdsError: They are not such numbers.
    """
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        as_text = values.dtype.kind in "US"
        raise WrongIdsError(
            f"number: expected whole numbers [n], got {values.dtype} {values.shape}",
            "write text as `id` in place of number" if as_text else "write one whole number for each row",
        )
    strange = values[~(np.isfinite(values) & (values >= 1) & (values == np.trunc(values)))]
    if len(strange):
        raise WrongIdsError(f"number: expected whole numbers from 1, got {strange[0]}", _of_strange(strange[0]))
    found = [str(int(number)) for number in values.tolist()]
    _require_unique(found)
    return found


def missing_hint(missing: Sequence[str], there: Iterable[str], kind: str) -> str:
    """Return a hint for ids that a file lacks. It names an id of the file that looks like a missing one."""
    usual = f"predict all {kind}; use the ids of the data set (Dataset.ids; 7.mat has the id 7)"
    return _similar(there, missing) or usual


def unknown_hint(unknown: Sequence[str], known: Sequence[str]) -> str:
    """Return a hint for ids of a file that the data set does not have."""
    if (similar := _similar(unknown, known)) is not None:
        return similar
    numbered = [int(name) for name in known if name.isdecimal()]
    counted = [int(name) for name in unknown if name.lstrip("-").isdecimal()]
    if numbered and counted and min(counted) < min(numbered):
        return f"the first id is {min(numbered)}: positions that count from 0 are no ids; use Dataset.ids"
    return "remove these rows, or name the data that were predicted; ids are those of the data set (Dataset.ids)"


def _of_strange(value: Any) -> str:
    if not np.isfinite(value):
        return "write the number of a sample in every row"
    if value < 1:
        return "numbers are those of the files, from 1 (7.mat is 7); positions that count from 0 are no numbers"
    return "write the number of the file, such as 7 for 7.mat"


def _similar(there: Iterable[str], wanted: Sequence[str]) -> str | None:
    """Return a hint that names an id of the file that looks like a wanted one; None if there is no such id."""
    cores = {_core(name): name for name in there}
    for name in wanted:
        found = cores.get(_core(name))
        if found is not None and found != name:
            return f"the file has {found!r} in place of {name!r}: write the ids of the data set (Dataset.ids)"
    return None


def _core(name: str) -> str:
    """Return an id without folder, file suffix, decimals, leading zeros and case, for the search of similar ids."""
    stem = PurePosixPath(name.strip().replace("\\", "/")).name.lower()
    for suffix in (".nii.gz", PurePosixPath(stem).suffix):
        stem = stem.removesuffix(suffix) if suffix else stem
    return stem.lstrip("0") or "0"


def _require_unique(names: list[str]) -> None:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise WrongIdsError(f"has sample {twice} twice", "write each sample once")
