"""Numbers of seeds after which a case is judged: one number, or fixed stages such as 1, 3 and 5."""

import re

from btlib.errors import OptionError

_SPAN = re.compile(r"(\d{1,6})(?:\.\.(\d{1,6}))?", re.ASCII)


def stages(seeds: str | int, where: str = "seeds") -> tuple[int, ...]:
    """Return the numbers of seeds after which a case is judged.

    Args:
        seeds: "N" or N for one stage with N seeds; "M..N" for M, M + 2, M + 4, … seeds, and N as the last stage.
        where: The option as the user writes it, for the error message.

    Returns:
        Increasing numbers from 1; the last one is the largest number of seeds.

    Raises:
        OptionError: The text is not "N" or "M..N" with 1 ≤ M ≤ N.

    >>> stages("1..5"), stages("1..4"), stages("3..5"), stages(3)
    ((1, 3, 5), (1, 3, 4), (3, 5), (3,))
    """
    found = None if isinstance(seeds, bool) or not isinstance(seeds, str | int) else _SPAN.fullmatch(str(seeds))
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if first < 1:
        raise OptionError(f"expected a whole number from 1, got {seeds!r}; stages are written as 1..5", where=where)
    if first > last:
        raise OptionError(
            f"expected stages with the smaller number first, got {seeds!r}", where=where, hint=f"give {last}..{first}"
        )
    return (*range(first, last, 2), last)


def normalised(seeds: str | int, where: str = "seeds") -> str | int:
    """Return the number of seeds as an int if there is one stage, else the text "M..N". For errors see `stages`."""
    found = stages(seeds, where)
    return found[0] if len(found) == 1 else f"{found[0]}..{found[-1]}"
