"""The four comparisons of the thesis, a family of their own."""

from btlib.reporting.significance import FAMILIES, Family

_TESTS = (("E", "A", "dice"), ("F", "B", "accuracy"), ("G", "F", "accuracy"), ("F", "E", "dice"))

FAMILIES.add("thesis", Family("The thesis's four comparisons", _TESTS))
