"""Ranges of numbers. A number is checked where it enters, and refused with its name and its range."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from btlib.errors import BtlibError, OptionError


@dataclass(frozen=True)
class Range:
    """Range of a finite number. NaN, infinity, True, False and text are never in it.

    Attributes:
        low: Lower bound.
        high: Upper bound; infinity for none.
        whole: Whether the number must be a whole number (an `int`).
        above: Whether the lower bound itself is excluded.
        below: Whether the upper bound itself is excluded.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'from'} {self.low:.10g}" if self.low > -math.inf else ""
        high = f"{'below' if self.below else 'to'} {self.high:.10g}" if self.high < math.inf else ""
        joined = (" and " if self.above or self.below else " ").join(filter(None, (low, high)))
        return f"{'a whole' if self.whole else 'a finite'} number {joined}".rstrip()

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, Integral if self.whole else Real):
            return False
        number = float(value)
        if not math.isfinite(number):
            return False
        enough = number > self.low if self.above else number >= self.low
        return enough and (number < self.high if self.below else number <= self.high)

    def require(
        self, value: object, where: str, *, error: type[BtlibError] = OptionError, hint: str | None = None
    ) -> None:
        """Raise an error if a value is not in the range.

        Args:
            value: Value to check.
            where: Name of the value, as the user writes it.
            error: Class of the error.
            hint: How to mend it.

        Raises:
            BtlibError: The value is not in the range; it is an `error`.
        """
        if value not in self:
            raise error(f"expected {self}, got {value!r}", where=where, hint=hint or f"give {self}")


SHARE = Range(0, 1)
"""A probability, threshold or share, 0…1."""

INSIDE = Range(0, 1, above=True, below=True)
"""A confidence or significance level: strictly between 0 and 1."""

ERROR_RATE = Range(1e-9, 1, below=True)
"""An error rate of a suite: smaller ones vanish when they are divided, and no sample could reach them."""

LOSS = Range(0, 1, below=True)
"""A tolerated share of a speed: from 0, below 1."""

POSITIVE = Range(0, above=True)
"""A margin, duration or rate above 0."""

NOT_NEGATIVE = Range(0)
"""A weight, tolerance or duration of 0 or more."""

COUNT = Range(1, whole=True)
"""A number of things, from 1."""

WHOLE = Range(0, whole=True)
"""A number of things that may be none, from 0."""

SEED = Range(0, 2**32 - 1, whole=True)
"""A seed of a random generator: NumPy's and PyTorch's take these."""


def require_fields(
    owner: object, ranges: Mapping[str, Range], where: str, *, error: type[BtlibError] = OptionError
) -> None:
    """Check fields of an object by name; a field that is None is not checked.

    Raises:
        BtlibError: A field is not in its range; it is an `error`.
    """
    for name, allowed in ranges.items():
        value = getattr(owner, name)
        if value is not None:
            allowed.require(value, f"{where}: {name}", error=error)


_WORDING = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number from {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number up to {le:g}",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "string_too_short": "text that is not blank",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table of fields",
    "literal_error": "{expected}",
}
_LONGEST = 60  # characters of a value that is shown


def described(fault: Mapping[str, Any]) -> str:
    """Return the message of a field's fault in the wording of `Range.require`: "expected …, got …".

    Args:
        fault: One of the errors of a pydantic `ValidationError`, with type, msg, ctx and input.
    """
    kind, shown = fault["type"], repr(fault["input"])
    got = (
        f", got {shown}" if len(shown) < _LONGEST and kind not in ("missing", "value_error", "extra_forbidden") else ""
    )
    if kind in _WORDING:
        return f"expected {_WORDING[kind].format(**fault.get('ctx', {}))}{got}"
    return f"{fault['msg'].removeprefix('Value error, ')}{got}"
