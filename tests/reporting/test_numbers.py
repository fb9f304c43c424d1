"""How numbers, intervals and p values are written."""

import pytest

from btlib.reporting.numbers import interval, number, p_value


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (None, "–"),
        (0.0, "< 0.0001"),
        (0.99e-4, "< 0.0001"),
        (1e-4, "0.0001"),
        (0.000456, "0.00046"),
        (0.0496, "0.05"),
        (0.0504, "0.05"),
        (0.0944, "0.094"),
        (0.1, "0.10"),
        (0.456, "0.46"),
        (1.0, "1.00"),
    ],
)
def test_a_p_value_has_two_digits(p: float | None, text: str):
    assert p_value(p) == text


@pytest.mark.parametrize(("p", "text"), [(0.00123, "≤ 0.0012"), (0.3, "≤ 0.30"), (1e-5, "< 0.0001"), (None, "–")])
def test_a_bound_of_p_is_marked(p: float | None, text: str):
    assert p_value(p, is_bound=True) == text


def test_an_interval_has_both_bounds_and_signs():
    assert interval(-0.01234, 0.5) == "-0.0123 … +0.5000"
    assert interval(0.0, 0.0) == "+0.0000 … +0.0000"
    assert interval(None, 0.5) == interval(-0.1, None) == interval(None, None) == "–"


def test_zero_is_a_number():
    assert (number(0.0, ".2f"), number(None, ".2f")) == ("0.00", "–")
