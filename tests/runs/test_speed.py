"""Raw seconds to figures, and what of them a baseline keeps; what older versions wrote is read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.errors import RecordError
from btlib.runs import Speed, Timing
from btlib.runs.throughput import Throughput

SECONDS = [0.1, 0.2, 0.3, 0.4, 1.5, 0.2, 0.1, 0.2]
REFERENCE = [1.0, 0.8, 0.9, 2.0, 1.0, 1.1, 1.2, 1.3]
TIMING = Timing(
    images=6,
    seconds=SECONDS,
    reference="another",
    reference_seconds=REFERENCE,
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
    assert TIMING.throughput == Throughput(
        images_per_second=TIMING.images_per_second,
        gpu="NVIDIA H200",
        engine="openvino",
        precision="bf16",
        reference="another",
        ratio=found.value,
        low=found.low,
        high=found.high,
    )


def test_without_a_reference_there_is_no_ratio():
    alone = TIMING.model_copy(update={"reference": None, "reference_seconds": []})
    assert alone.speedup is None
    assert (alone.throughput.reference, alone.throughput.ratio, alone.throughput.low, alone.throughput.high) == (
        None,
        None,
        None,
        None,
    )


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


def noisy(seconds: list[float], reference: list[float]) -> Speed:
    return Speed(case="X", noise=Timing(images=1, seconds=seconds, reference_seconds=reference))


def test_the_noise_is_the_farther_bound_of_the_null_run():
    speed = noisy([1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0])
    assert speed.noisiness == pytest.approx(1.0)
    assert noisy([2.0] * 4, [1.0] * 4).noisiness == pytest.approx(0.5)
    assert noisy([1.0] * 4, [1.0] * 4).noisiness == 0
    assert (Speed(case="X").noisiness, noisy([1.0], []).noisiness) == (0, 0)


OLDER = """{
 "images": 16,
 "device": "cpu",
 "gpu": null,
 "engine": "openvino",
 "precision": "fp32",
 "seconds": [0.5, 0.25],
 "thesis_seconds": [1.0, 2.0, 1.5],
 "peak_memory_mib": 300.5,
 "thesis_peak_memory_mib": 700.25,
 "device_memory_mib": null,
 "joules_per_image": 0.5,
 "gflop_per_image": 2.5
}"""
"""As btlib wrote it when the thesis's way of running a model was the only reference."""


def test_a_timing_of_before_names_the_only_reference_that_there_was(tmp_path: Path):
    (tmp_path / "a.json").write_text(OLDER)
    found = Timing.load(tmp_path / "a.json")
    assert found == Timing(
        images=16,
        device="cpu",
        engine="openvino",
        precision="fp32",
        seconds=[0.5, 0.25],
        reference="thesis path",
        reference_seconds=[1.0, 2.0, 1.5],
        peak_memory_mib=300.5,
        reference_peak_memory_mib=700.25,
        joules_per_image=0.5,
        gflop_per_image=2.5,
    )
    found.save(tmp_path / "b.json")
    assert not {"thesis_seconds", "thesis_peak_memory_mib"} & json.loads((tmp_path / "b.json").read_text()).keys()
    assert Timing.load(tmp_path / "b.json") == found


def test_a_timing_of_before_that_was_made_alone_has_no_reference(tmp_path: Path):
    alone = OLDER.replace("[1.0, 2.0, 1.5]", "[]").replace("700.25", "null")
    speed = f'{{"case": "X", "figures": {{"inference, batch 16": {alone}}}, "ceilings": {{}}, "seconds": 2.0}}'
    (tmp_path / "a.json").write_text(speed)
    (timing,) = Speed.load(tmp_path / "a.json").figures.values()
    assert (timing.reference, timing.reference_seconds, timing.reference_peak_memory_mib) == (None, [], None)
    assert timing.seconds == [0.5, 0.25]


@pytest.mark.parametrize("seconds", ["3", "null", '["1"]'])
def test_a_timing_of_before_is_checked_all_the_same(seconds: str, tmp_path: Path):
    (tmp_path / "a.json").write_text(OLDER.replace("[1.0, 2.0, 1.5]", seconds))
    with pytest.raises(RecordError, match="reference_seconds"):
        Timing.load(tmp_path / "a.json")
