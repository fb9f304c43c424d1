"""How numbers are written in every table."""


def number(value: float | None, form: str) -> str:
    """A number in a format, "–" where there is none."""
    return "–" if value is None else format(value, form)


def interval(low: float | None, high: float | None) -> str:
    """The bounds of an interval of a difference."""
    return "–" if low is None or high is None else f"{low:+.4f} … {high:+.4f}"


def p_value(p: float | None) -> str:
    """A p with two significant digits; below 0.0001 as that."""
    if p is None:
        return "–"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
