"""Energy from a tree such as Linux's."""

from pathlib import Path

import pytest

from btlib.speed.energy import EnergyMeter


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    for folder, name in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:1", "package-1"),
        ("intel-rapl:2", "psys"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name").write_text(f"{name}\n")
        (tmp_path / folder / "max_energy_range_uj").write_text("100000000\n")
        (tmp_path / folder / "energy_uj").write_text("90000000\n")
    return tmp_path


def put(powercap: Path, folder: str, joules: float) -> None:
    (powercap / folder / "energy_uj").write_text(f"{int(joules * 1e6)}\n")


def test_packages_are_added_up_and_their_parts_are_not(powercap: Path):
    meter = EnergyMeter(powercap)
    meter.start()
    put(powercap, "intel-rapl:0", 92)
    put(powercap, "intel-rapl:0:0", 99)
    put(powercap, "intel-rapl:1", 93.5)
    put(powercap, "intel-rapl:2", 99)
    meter.stop()
    assert meter.joules == pytest.approx(5.5)


def test_what_lies_outside_does_not_count(powercap: Path):
    meter = EnergyMeter(powercap)
    for begin, end in ((90, 91), (95, 97)):
        put(powercap, "intel-rapl:0", begin)
        meter.start()
        put(powercap, "intel-rapl:0", end)
        meter.stop()
    assert meter.joules == pytest.approx(3)


def test_a_counter_that_ran_over(powercap: Path):
    meter = EnergyMeter(powercap)
    meter.start()
    put(powercap, "intel-rapl:1", 4)
    meter.stop()
    assert meter.joules == pytest.approx(14)


def test_a_machine_that_does_not_tell(tmp_path: Path):
    meter = EnergyMeter(tmp_path)
    meter.start()
    meter.stop()
    assert meter.joules is None


def test_a_counter_that_is_damaged_is_none(powercap: Path):
    (powercap / "intel-rapl:0" / "energy_uj").write_text("much\n")
    meter = EnergyMeter(powercap)
    meter.start()
    put(powercap, "intel-rapl:1", 91)
    meter.stop()
    assert meter.joules == pytest.approx(1)
