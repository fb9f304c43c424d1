"""The four planned comparisons of the thesis, as a separate family of tests."""

from btlib.reporting.significance import FAMILIES, Family

_TESTS = (("E", "A", "dice"), ("F", "B", "accuracy"), ("G", "F", "accuracy"), ("F", "E", "dice"))

FAMILIES.add("thesis", Family("The thesis's four comparisons", _TESTS))
