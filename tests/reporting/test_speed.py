"""Figures of speed as a table: every number under its own title, in its own unit."""

from pathlib import Path

import pandas as pd
import pytest

from btlib.reporting.speed import noise_line, write_speed
from btlib.runs import Speed, Timing

from .cells import rows

FULL = Timing(
    images=16,
    engine="openvino",
    precision="bf16",
    seconds=[0.1, 0.2, 0.3, 0.2],
    reference="thesis path",
    reference_seconds=[1.0, 2.2, 3.0, 2.0],
    peak_memory_mib=300.4,
    reference_peak_memory_mib=500.4,
    device_memory_mib=700.4,
    joules_per_image=0.1234,
    gflop_per_image=5.0,
)
PLAIN = Timing(images=1, seconds=[0.05])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    figures = {"inference, batch 16": FULL, "training": PLAIN}
    speeds = {"a|b": Speed(case="a|b", figures=figures, ceilings={"bf16": 2.0, "fp32": 1.0})}
    assert write_speed(speeds, FULL, tmp_path) == tmp_path / "speed.md"
    return tmp_path


def test_every_number_stands_under_its_title(folder: Path):
    text = (folder / "speed.md").read_text()
    assert r"| a\|b " in text
    first, second = rows(text.replace(r"\|", "/"))
    found = FULL.speedup
    assert found is not None
    assert found.low < found.value < found.high
    assert first == {
        "case": "a/b",
        "figure": "inference, batch 16",
        "engine": "openvino",
        "precision": "bf16",
        "images/s": "80.0",
        "× reference": f"{found.value:.2f}",
        "low": f"{found.low:.2f}",
        "high": f"{found.high:.2f}",
        "calls": "4",
        "p50 [ms]": "200.0",
        "p95 [ms]": "285.0",
        "MiB": "300",
        "reference": "thesis path",
        "reference MiB": "500",
        "device MiB": "700",
        "J/image": "0.123",
        "GFLOP/image": "5.00",
        "of ceiling": "20%",
    }
    known = {name: cell for name, cell in second.items() if cell != "–"}
    assert known == {
        "case": "a/b",
        "figure": "training",
        "images/s": "20.0",
        "calls": "1",
        "p50 [ms]": "50.0",
        "p95 [ms]": "50.0",
    }


def test_programs_get_the_same_numbers(folder: Path):
    frame = pd.read_csv(folder / "speed.csv")
    assert frame["case"].tolist() == ["a|b", "a|b"]
    assert frame.columns.tolist() == list(rows((folder / "speed.md").read_text().replace(r"\|", "/"))[0])
    assert frame.loc[0, ["p50 [ms]", "p95 [ms]", "reference MiB"]].tolist() == pytest.approx([200, 285, 500.4])
    assert frame.loc[0, "of ceiling"] == pytest.approx(0.2)
    assert frame.loc[1, ["MiB", "engine"]].isna().all()


def test_the_noise_floor():
    found = FULL.speedup
    assert found is not None
    assert noise_line(FULL) == (
        f"Noise floor: the reference, compared with itself, is {found.value:.3f} times as fast "
        f"({found.low:.3f} … {found.high:.3f}, {found.turns} turns)."
    )
    assert noise_line(None) == noise_line(PLAIN) == "The noise floor was not measured."


def test_without_figures_nothing_is_written(tmp_path: Path):
    assert write_speed({"A": Speed(case="A")}, None, tmp_path) is None
    assert list(tmp_path.iterdir()) == []
