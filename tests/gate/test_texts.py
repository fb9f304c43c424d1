"""Texts of verdicts that no reader should misunderstand."""

from dataclasses import replace

import pytest

from btlib.errors import OptionError
from btlib.gate.gate_options import GateOptions
from btlib.gate.verdict import Power, Verdict
from btlib.reporting.score_sources import definitions

POWER = Power(0.1, 0.2, trainings=99, groups=None, n_trainings=1, n_groups=40, unit="speaker")


def test_an_assumed_spread_is_measured_first():
    assert "99 seeds" in POWER.advice
    assert replace(POWER, assumed=True).advice == (
        "the spread between trainings is not known: measure it first, with 3 seeds on each side"
    )


@pytest.mark.parametrize(("p", "text"), [(0.0, "< 1e-16"), (1e-300, "< 1e-16"), (0.0123, "0.012")])
def test_a_p_of_zero_is_a_bound(p: float, text: str):
    verdict = Verdict("a", "m", "regressed", p=p, red=0.05, family=1)
    assert f"p          {text}; red below 0.05" in verdict.describe()


@pytest.mark.parametrize("text", ["1_0", "m=1_0", "", "nan", "-1"])
def test_a_margin_that_is_a_typing_error_is_refused(text: str):
    with pytest.raises(OptionError, match="--margin"):
        definitions(["m"], [text])


@pytest.mark.parametrize("alpha", [1e-320, 0.0, 1.0, float("nan")])
def test_an_error_rate_that_nothing_can_reach_is_refused(alpha: float):
    with pytest.raises(OptionError, match="expected a finite number from 1e-09 and below 1"):
        GateOptions(alpha=alpha)
