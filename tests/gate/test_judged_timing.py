"""What a figure of a run is held against, and what makes two ratios unlike."""

from types import SimpleNamespace
from typing import Any

import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.gate import throughput
from btlib.gate.baseline_case import Provenance
from btlib.gate.throughput import judge_timing
from btlib.runs import RunInfo, Timing
from btlib.runs.throughput import Throughput

TIMING = Timing(images=6, seconds=[0.1, 0.2, 0.3, 0.4], reference="another", reference_seconds=[1.0, 0.8, 0.9, 2.0])
HERE = {"machine": "m1", "simd": "avx2", "allocator": "jemalloc"}
INFO = RunInfo(
    tier="full", command="", baseline="", task=PHANTOM, data="", image_size=64, speed_margin=0.15, started=""
)
RECIPE = {"backbone": "resnet18"}


def judged(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Any]:
    """What is handed to the gate of a case X whose baseline was made as it is, but for changes."""
    known = {"inference": TIMING.throughput, "other": TIMING.throughput.model_copy(update={"images_per_second": 1.0})}
    made = {"environment": HERE | changes.pop("there", {}), "recipe": changes.pop("recipe", RECIPE)}
    baseline: Any = SimpleNamespace(
        cases={"X": SimpleNamespace(speed=known)},
        provenance_of=lambda case: Provenance(source="", created="", reason="", **made if case == "X" else {}),
        conditions=SimpleNamespace(image_size=changes.pop("size", 64)),
        recipe={"backbone": "another"},
    )
    record: Any = SimpleNamespace(case=changes.pop("case", "X"), model=None, environment=HERE)
    asked: dict[str, Any] = {}

    def gate(case: str, figure: str, measured: Throughput, baseline: Throughput | None, **more: Any) -> None:
        asked.update(case=case, figure=figure, measured=measured, baseline=baseline, **more)

    monkeypatch.setattr(throughput, "judge_throughput", gate)
    info = INFO.model_copy(update={"recipe": RECIPE})
    judge_timing(record, changes.pop("figure", "inference"), TIMING, baseline, 0.07, info)
    assert not changes
    return asked


def test_a_figure_is_held_against_the_baselines_own(monkeypatch: pytest.MonkeyPatch):
    assert judged(monkeypatch) == {
        "case": "X",
        "figure": "inference",
        "measured": TIMING.throughput,
        "baseline": TIMING.throughput,
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
        ({"size": 32}, "image size 64, but the baseline's 32"),
        ({"recipe": {"backbone": "resnet50"}}, "backbone resnet18, but the baseline's resnet50"),
        ({"recipe": None}, "backbone resnet18, but the baseline's None"),
        (
            {"recipe": RECIPE | {"drifting_batch_norm": True}},
            "drifting batch norm False, but the baseline's True",
        ),
        ({"recipe": RECIPE | {"drifting_batch_norm": False}}, None),
        ({"there": {"simd": "avx512"}}, "processor with avx2, but the baseline's avx512"),
        ({"there": {"allocator": "glibc"}}, "allocator jemalloc, but the baseline's glibc"),
        (
            {"there": {"simd": "no", "allocator": "x"}},
            "processor with avx2, but the baseline's no; allocator jemalloc, but the baseline's x",
        ),
    ],
)
def test_what_makes_two_ratios_unlike(change: dict[str, Any], told: str | None, monkeypatch: pytest.MonkeyPatch):
    found = judged(monkeypatch, **change)
    assert (found["alike"], found["same_machine"]) == (told, True)


def test_another_machine_is_told_apart(monkeypatch: pytest.MonkeyPatch):
    found = judged(monkeypatch, there={"machine": "m2"})
    assert (found["alike"], found["same_machine"]) == (None, False)
