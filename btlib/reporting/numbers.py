"""Format of numbers in all tables."""


def number(value: float | None, form: str) -> str:
    """Format a number; "–" for None."""
    return "–" if value is None else format(value, form)


def interval(low: float | None, high: float | None, digits: int = 4) -> str:
    """Format the bounds of an interval of a difference; "–" for None."""
    return "–" if low is None or high is None else f"{low:+.{digits}f} … {high:+.{digits}f}"


def p_value(p: float | None, is_bound: bool = False) -> str:
    """Format a p value: "< 0.0001", two significant digits below 0.1, two decimals otherwise; "–" for None.

    Args:
        p: p value, 0…1.
        is_bound: Whether it is only an upper bound, the least p that random flips can give: "≤ 0.0012".
    """
    if p is None:
        return "–"
    if p < 1e-4:
        return "< 0.0001"
    shown = f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
    return f"≤ {shown}" if is_bound else shown
