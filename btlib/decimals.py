"""Number of decimals in tables and messages. It is the same wherever a value is shown."""

import math
from collections.abc import Iterable

_MOST = 20


def decimals(margin: float | None, values: Iterable[float | None] = ()) -> int:
    """Return the decimals to show: four, or more for small numbers, such as a latency in seconds.

    Args:
        margin: Smallest difference that matters; a tenth of it is shown. None if it is unknown.
        values: Values to show if the margin is unknown: three digits of the smallest one are shown. Values that are
            None, 0 or not finite do not count.
    """
    scale = margin
    if scale is None:
        known = [abs(v) for v in values if v is not None and math.isfinite(v) and v != 0]
        scale = min(known) / 10 if known else 0.0
    return min(_MOST, max(4, 1 - math.floor(math.log10(scale)))) if scale > 0 else 4
