"""The gate's word on speed: only a ratio that is beyond doubt too low fails, and what cannot be compared is said."""

import pytest

from btlib.baselines.pace import Pace, PaceVerdict, judge_pace

MARGIN = 0.25
BASE = Pace(images_per_second=100.0, engine="openvino", precision="bf16", ratio=10.0, low=9.0, high=11.0)


def judged(baseline: Pace | None = BASE, alike: str | None = None, same: bool = False, noise: float = 0.0, **changes):
    measured = BASE.model_copy(update=changes)
    return judge_pace(
        "D", "inference, batch 16", measured, baseline, margin=MARGIN, alike=alike, same_machine=same, noise=noise
    )


def test_the_same_passes():
    assert judged().status == "pass"


def test_the_line_is_where_it_says():
    least = BASE.low * (1 - MARGIN)
    assert judged(ratio=6.0, low=5.0, high=least + 1e-9).status == "pass"
    slower = judged(ratio=6.0, low=5.0, high=least - 1e-9)
    assert slower.status == "slower"
    assert "6.00 times" in slower.reason
    assert "10.00" in slower.reason


def test_noise_widens_the_line():
    assert judged(ratio=6.0, low=5.0, high=6.5).status == "slower"
    assert judged(ratio=6.0, low=5.0, high=6.5, noise=0.1).status == "pass"


def test_absolute_speed_counts_on_the_same_machine_alone():
    assert judged(images_per_second=49.0).status == "pass"
    assert judged(images_per_second=49.0, same=True).status == "slower"
    assert judged(images_per_second=51.0, same=True).status == "pass"
    assert judged(images_per_second=49.0, same=True, noise=0.11).status == "pass"  # on a busy machine not even there


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (judged(baseline=None), "no such figure"),
        (judged(alike="image size 96, the baseline's 256"), "image size 96"),
        (judged(engine="eager"), "engine eager, the baseline with openvino"),
        (judged(precision="fp32"), "precision fp32"),
        (judged(ratio=None, low=None, high=None), "not measured beside"),
        (judged(baseline=BASE.model_copy(update={"ratio": None, "low": None, "high": None})), "not measured beside"),
        (judged(ratio=0.1, low=0.1, high=0.1, noise=0.8), "off by up to 80%"),
        (judged(images_per_second=1e6, ratio=1.0, low=1.0, high=1.0), "too short"),
    ],
)
def test_what_cannot_be_compared(verdict: PaceVerdict, told: str):
    assert verdict.status == "not-judged"
    assert told in verdict.reason
