"""Format of numbers in all tables."""


def number(value: float | None, form: str) -> str:
    """Format a number; "–" for None."""
    return "–" if value is None else format(value, form)


def interval(low: float | None, high: float | None) -> str:
    """Format the bounds of an interval of a difference; "–" for None."""
    return "–" if low is None or high is None else f"{low:+.4f} … {high:+.4f}"


def p_value(p: float | None) -> str:
    """Format a p value: "< 0.0001", two significant digits below 0.1, two decimals otherwise; "–" for None."""
    if p is None:
        return "–"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
