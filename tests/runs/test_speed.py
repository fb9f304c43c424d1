"""Raw seconds to figures, and what of them is held against a baseline."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from btlib.baselines.figure import Making
from btlib.baselines.pace import Pace
from btlib.data.sources.tasks import PHANTOM
from btlib.runs import RunInfo, Speed, Timing, speed
from btlib.runs.speed import judge_timing

SECONDS = [0.1, 0.2, 0.3, 0.4, 1.5, 0.2, 0.1, 0.2]
THESIS = [1.0, 0.8, 0.9, 2.0, 1.0, 1.1, 1.2, 1.3]
TIMING = Timing(
    images=6,
    seconds=SECONDS,
    thesis_seconds=THESIS,
    gpu="NVIDIA H200",
    engine="openvino",
    precision="bf16",
    gflop_per_image=50.0,
)


def test_figures_of_a_timing():
    assert TIMING.images_per_second == pytest.approx(6 / 0.2)  # of the median, which the slowest call leaves alone
    assert TIMING.latency == (pytest.approx(0.2), pytest.approx(np.percentile(SECONDS, 95)))
    found = TIMING.speedup
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((5.071, 1.235, 8.333), abs=1e-3)
    assert TIMING.pace == Pace(
        images_per_second=TIMING.images_per_second,
        gpu="NVIDIA H200",
        engine="openvino",
        precision="bf16",
        ratio=found.value,
        low=found.low,
        high=found.high,
    )


def test_where_the_thesis_path_could_not_run_there_is_no_ratio():
    alone = TIMING.model_copy(update={"thesis_seconds": []})
    assert alone.speedup is None
    assert (alone.pace.ratio, alone.pace.low, alone.pace.high) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "ceilings", "share"),
    [
        ({}, {"fp32": 1.0, "bf16": 3.0}, 50 * 30 / 3000),  # 1500 GFLOP/s of 3 TFLOP/s
        ({"precision": None}, {"fp32": 1.0, "bf16": 3.0}, None),
        ({}, {"fp32": 1.0}, None),
        ({"gflop_per_image": None}, {"bf16": 3.0}, None),
    ],
)
def test_the_share_of_what_the_machine_can_do(fields: dict[str, Any], ceilings: dict[str, float], share: float | None):
    figures = {"a": TIMING.model_copy(update={"gflop_per_image": 1.0}), "b": TIMING.model_copy(update=fields)}
    found = Speed(case="X", figures=figures, ceilings=ceilings).share_of_ceiling("b")
    assert found == (None if share is None else pytest.approx(share))


HERE = {"machine": "m1", "simd": "avx2", "allocator": "jemalloc"}
INFO = RunInfo(tier="full", command="", baseline="", task=PHANTOM, data="", image_size=64, started="")
RECIPE = {"backbone": "resnet18"}


def judged(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Any]:
    """What is handed to the gate of a case X whose baseline was made as it is, but for changes."""
    known = {"inference": TIMING.pace, "other": TIMING.pace.model_copy(update={"images_per_second": 1.0})}
    made = {"environment": HERE | changes.pop("there", {}), "recipe": changes.pop("recipe", RECIPE)}
    baseline: Any = SimpleNamespace(
        cases={"X": SimpleNamespace(speed=known)},
        made=lambda case: Making(source="", created="", reason="", **made if case == "X" else {}),
        conditions=SimpleNamespace(image_size=changes.pop("size", 64)),
        recipe={"backbone": "another"},
    )
    record: Any = SimpleNamespace(case=changes.pop("case", "X"), model=None)
    asked: dict[str, Any] = {}

    def gate(case: str, figure: str, measured: Pace, baseline: Pace | None, **more: Any) -> None:
        asked.update(case=case, figure=figure, measured=measured, baseline=baseline, **more)

    monkeypatch.setattr(speed, "judge_pace", gate)
    monkeypatch.setattr(speed, "environment", lambda: HERE)
    info = INFO.model_copy(update={"recipe": RECIPE})
    judge_timing(record, changes.pop("figure", "inference"), TIMING, baseline, 0.07, info, 0.15)
    assert not changes
    return asked


def test_a_figure_is_held_against_the_baselines_own(monkeypatch: pytest.MonkeyPatch):
    assert judged(monkeypatch) == {
        "case": "X",
        "figure": "inference",
        "measured": TIMING.pace,
        "baseline": TIMING.pace,
        "margin": 0.15,
        "alike": None,
        "same_machine": True,
        "noise": 0.07,
    }


@pytest.mark.parametrize("change", [{"figure": "training"}, {"case": "unknown"}])
def test_a_figure_that_the_baseline_does_not_have(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    assert judged(monkeypatch, **change)["baseline"] is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"size": 32}, "image size 64, the baseline's 32"),
        ({"recipe": {"backbone": "resnet50"}}, "backbone resnet18, the baseline's resnet50"),
        ({"recipe": None}, "backbone resnet18, the baseline's None"),
        ({"there": {"simd": "avx512"}}, "processor with avx2, the baseline's avx512"),
        ({"there": {"allocator": "glibc"}}, "allocator jemalloc, the baseline's glibc"),
        (
            {"there": {"simd": "no", "allocator": "x"}},
            "processor with avx2, the baseline's no; allocator jemalloc, the baseline's x",
        ),
    ],
)
def test_what_makes_two_ratios_unlike(change: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch):
    found = judged(monkeypatch, **change)
    assert (found["alike"], found["same_machine"]) == (told, True)


def test_another_machine_is_told_apart(monkeypatch: pytest.MonkeyPatch):
    found = judged(monkeypatch, there={"machine": "m2"})
    assert (found["alike"], found["same_machine"]) == (None, False)
