"""Scores from arrays of a user's program."""

import numbers
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from btlib.errors import DataError
from btlib.numbers.sample_scores import SampleScores


def from_arrays(
    name: str,
    ids: Sequence[object],
    values: ArrayLike | Mapping[int, ArrayLike],
    groups: Sequence[object] | None,
    *,
    group: str = "group",
    independent: bool = False,
) -> SampleScores:
    """Return the values of one score as `SampleScores`.

    Args:
        name: Name of the score.
        ids: Unique ids of the samples, text or whole numbers [n].
        values: One number per sample [n]; or one row per training, [r, n] or seed → [n].
        groups: Group of each sample, text or whole numbers [n]; None only with `independent`.
        group: What the samples are grouped by.
        independent: The samples are independent of each other.

    Raises:
        DataError: An argument has another shape or type, an id occurs twice, or a value is not finite.
    """
    known = _names(ids, "ids")
    if not known:
        raise DataError("expected at least one id, got none", where="ids", hint="give one id per sample")
    if len(set(known)) < len(known):
        twice = Counter(known).most_common(1)[0][0]
        raise DataError(f"id {twice!r} occurs more than once", where="ids", hint="give one value per id")
    if (groups is None) != independent:
        raise DataError(
            "expected either groups or independent=True",
            where="groups",
            hint="samples of one speaker, patient or site are not independent: give groups=…",
        )
    of = None if groups is None else _names(groups, "groups")
    if of is not None and len(of) != len(known):
        raise DataError(f"expected {len(known)} groups, one per id, got {len(of)}", where="groups")
    rows, seeded = _by_seed(values)
    columns = {seed: {name: _column(row, known, f"{name}, seed {seed}" if seeded else name)} for seed, row in rows}
    return SampleScores(known, of, group, columns, seeded)


def _names(given: Sequence[object], where: str) -> list[str]:
    plain = given.tolist() if isinstance(given, np.ndarray) else given
    if isinstance(plain, str | Set | Mapping) or not hasattr(plain, "__iter__"):  # a set has no order
        raise DataError(f"expected a list, got {given!r}", where=where)
    found = []
    for at, one in enumerate(plain):
        whole = isinstance(one, numbers.Integral) and not isinstance(one, bool)
        if not whole and not (isinstance(one, str) and one):
            raise DataError(f"expected text or a whole number at position {at}, got {one!r}", where=where)
        found.append(text(one, f"{where}, position {at}"))
    return found


def text(given: object, where: str) -> str:
    """Return an id or a group as text.

    Raises:
        DataError: It has a lone surrogate, half of a character, which cannot be stored.
    """
    found = str(given)
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"expected valid text, got {found!a}, which has half of a character (a lone surrogate)",
            where=where,
            hint="correct the text, or decode it as UTF-8",
        ) from error
    return found


def _by_seed(values: ArrayLike | Mapping[int, ArrayLike]) -> tuple[list[tuple[int, Any]], bool]:
    """Return the rows by seed, and whether there are seeds."""
    if isinstance(values, Mapping):
        for seed in values:
            if not isinstance(seed, numbers.Integral) or isinstance(seed, bool):
                raise DataError(f"expected whole numbers as seeds, got {seed!r}", where="values")
        if not values:
            raise DataError("expected at least one seed, got none", where="values")
        return [(int(seed), row) for seed, row in sorted(values.items())], True
    if isinstance(values, Set):
        raise DataError(f"expected a list, got {values!r}", where="values", hint="a set has no order")
    rows = list(values) if hasattr(values, "__iter__") else [values]  # type: ignore[arg-type]  # anything may come
    if rows and all(np.ndim(row) == 1 and not isinstance(row, str) for row in rows):
        return list(enumerate(rows)), True
    return [(0, rows)], False


def _column(row: Any, ids: Sequence[str], where: str) -> NDArray[np.float64]:
    if isinstance(row, str | Set) or not hasattr(row, "__iter__"):
        raise DataError(
            f"expected a list of values, got {row!r}", where=where, hint="give values of shape [n], or seed → [n]"
        )
    given = list(row)
    if len(given) != len(ids):
        raise DataError(
            f"expected {len(ids)} values, one per id, got {len(given)}",
            where=where,
            hint="give values of shape [n], or [r, n] for r trainings",
        )
    found = np.empty(len(given))
    for at, one in enumerate(given):
        value = _finite(one)
        if value is None:
            raise DataError(
                f"expected a finite number for id {ids[at]!r}, got {one!r}",
                where=where,
                hint="a sample without a value cannot be judged: correct it, or leave the sample out everywhere",
            )
        found[at] = value
    return found


def _finite(given: object) -> float | None:
    """Return a number as float; None if it is no finite real number, or too large for a float."""
    if not isinstance(given, numbers.Real | np.bool_ | Decimal):
        return None
    try:
        value = float(given)
    except (OverflowError, ValueError):  # a signalling NaN of Decimal is a ValueError
        return None
    return value if np.isfinite(value) else None
