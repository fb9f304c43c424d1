"""The gate's word on speed: only a ratio that is beyond doubt too low fails, and what cannot be compared is said."""

import pytest

from btlib.gate.throughput import SHORTEST, ThroughputVerdict, judge_throughput
from btlib.runs.throughput import Throughput

MARGIN = 0.25
BASE = Throughput(images_per_second=100.0, engine="openvino", precision="bf16", ratio=10.0, low=9.0, high=11.0)


def judged(
    baseline: Throughput | None = BASE, alike: str | None = None, same: bool = False, noise: float = 0.0, **changes
):
    measured = BASE.model_copy(update=changes)
    return judge_throughput(
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


def test_the_baseline_s_lower_bound_and_our_upper_one_are_compared():
    """Neither ratio, nor the other bounds: doubt on either side is for the case."""
    assert judged(ratio=1.0, low=0.5, high=BASE.low * 0.75).status == "pass"  # at the line
    assert judged(ratio=20.0, low=19.0, high=6.7).status == "slower"
    assert judged(Throughput(**BASE.model_dump() | {"ratio": 90.0, "high": 99.0}), high=6.8).status == "pass"


@pytest.mark.parametrize(
    ("noise", "images_per_second", "status"),
    [(0.1, 49.0, "slower"), (0.1001, 49.0, "pass"), (0.0, 50.0, "pass"), (0.0, 49.999, "slower")],
)
def test_the_bounds_of_absolute_speed(noise: float, images_per_second: float, status: str):
    assert judged(images_per_second=images_per_second, same=True, noise=noise).status == status


@pytest.mark.parametrize(
    ("noise", "status"), [(0.5, "slower"), (0.7499, "slower"), (0.75, "not-judged"), (0.9, "not-judged")]
)
def test_a_line_at_nothing_is_no_line(noise: float, status: str):
    assert judged(ratio=0.0001, low=0.0001, high=0.0001, noise=noise).status == status


def test_what_is_too_short_for_the_clock_is_measured_here():
    at_the_bound = 1 / SHORTEST
    assert judged(images_per_second=at_the_bound).status == "pass"
    assert judged(images_per_second=at_the_bound * 1.001).status == "not-judged"
    fast = BASE.model_copy(update={"images_per_second": at_the_bound * 2})
    assert judged(fast).status == "pass"


@pytest.mark.parametrize("lacking", [{"ratio": None}, {"low": None}, {"high": None}])
def test_numbers_that_are_lacking(lacking: dict[str, None]):
    """Of the baseline its upper bound is not needed, of what was measured that alone is."""
    needed = {"baseline": "high" not in lacking, "measured": "high" in lacking}
    assert (judged(BASE.model_copy(update=lacking)).status == "not-judged") == needed["baseline"]
    if needed["measured"]:
        assert judged(**lacking).status == "not-judged"


@pytest.mark.parametrize("name", ["gpu", "engine", "precision"])
@pytest.mark.parametrize(("ours", "theirs"), [("this", "that"), (None, "that"), ("this", None)])
def test_each_way_of_running_must_be_the_same(name: str, ours: str | None, theirs: str | None):
    found = judged(BASE.model_copy(update={name: theirs}), same=True, **{name: ours})
    assert (found.status, found.reason) == (
        "not-judged",
        f"measured with {name} {ours}, but the baseline with {theirs}",
    )
    assert (found.case, found.figure) == ("D", "inference, batch 16")


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (judged(baseline=None), "no such figure"),
        (judged(alike="image size 96, the baseline's 256"), "image size 96"),
        (judged(engine="eager"), "engine eager, but the baseline with openvino"),
        (judged(precision="fp32"), "precision fp32"),
        (judged(ratio=None, low=None, high=None), "no speed reference was measured with it"),
        (
            judged(baseline=BASE.model_copy(update={"ratio": None, "low": None, "high": None})),
            "no speed reference was measured with it",
        ),
        (judged(ratio=0.1, low=0.1, high=0.1, noise=0.8), "deviated by up to 80%"),
        (judged(images_per_second=1e6, ratio=1.0, low=1.0, high=1.0), "too short"),
    ],
)
def test_what_cannot_be_compared(verdict: ThroughputVerdict, told: str):
    assert verdict.status == "not-judged"
    assert told in verdict.reason
