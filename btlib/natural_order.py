"""Natural order of names that contain numbers."""

import re

_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key for ids in natural order: "sample 9" comes before "sample 10"."""
    return [(int(part), "") if k % 2 else (0, part) for k, part in enumerate(_DIGITS.split(name))], name
