"""Families of folds: splits whose test sets together contain each sample of the data set once."""

import re
from collections.abc import Sequence

from btlib.errors import SplitError
from btlib.splits.make import SPLITS, require_split

_FOLD = re.compile(r"(.+)-(\d+)")


def folds_of(name: str) -> tuple[str, ...]:
    """Return the splits of a name: all folds of a family, several folds, or one split.

    Args:
        name: Name of a family ("patient-5fold") or of one split ("slice-seed42"), or a list of folds of one family
            ("patient-5fold-1,patient-5fold-3").

    Raises:
        UnknownNameError: There is no such split; the hint names the most similar one.
        SplitError: A split was withdrawn, occurs twice, or belongs to another family than the first.
    """
    names = [part.strip() for part in name.split(",")]
    if names == [name] and name not in SPLITS and (family := _family(name)):
        return family
    for one in names:
        require_split(one)
    families = {_stem(one) for one in names}
    if len(names) > 1 and (len(families) > 1 or len(set(names)) < len(names)):
        raise SplitError(
            f"expected different folds of one family, got {', '.join(names)}",
            where="folds",
            hint="name folds such as patient-5fold-1,patient-5fold-2, or the family patient-5fold",
        )
    return tuple(names)


def pooled_name(folds: Sequence[str]) -> str:
    """Return the name of pooled folds: the family's name if all folds are present, otherwise with their numbers."""
    stem = _stem(folds[0])
    numbers = sorted(int(fold.removeprefix(f"{stem}-")) for fold in folds)
    return stem if len(_family(stem)) == len(folds) else f"{stem}-{'+'.join(map(str, numbers))}"


def _family(stem: str) -> tuple[str, ...]:
    folds = [one for one in SPLITS if one != stem and _stem(one) == stem]
    return tuple(sorted(folds, key=lambda one: int(one.removeprefix(f"{stem}-"))))


def _stem(name: str) -> str:
    found = _FOLD.fullmatch(name)
    return found[1] if found else name
