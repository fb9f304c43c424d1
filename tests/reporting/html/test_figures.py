"""The axes of figures: all of 0…1 for shares, as far on one side of 0 as on the other for differences."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

SVG = "{http://www.w3.org/2000/svg}"
VALUES = {
    **dict.fromkeys(("samples-dice", "samples-probability", "dice-by-class", "dice-by-size"), "x"),
    **dict.fromkeys(("speed-dice", "learning-A-seed7"), "y"),
    **dict.fromkeys(("calibration-B", "threshold-A"), "xy"),
}
"""Figures of shares, and along which axes those are drawn."""

DIFFERENCES = ("difference-dice", "difference-accuracy", "pairs-dice", "pairs-accuracy")


def ticks(path: Path, axis: str) -> list[float]:
    """Numbers beside the ticks of an axis, of all axes of that kind in a figure."""
    found = []
    for group in ElementTree.parse(path).iter(f"{SVG}g"):
        if re.match(rf"{axis}tick_\d+$", group.get("id", "")):
            text = "".join(group.itertext()).strip().replace("−", "-")
            found += [float(text)] if re.match(r"-?[\d.]+$", text) else []
    return found


@pytest.mark.parametrize(("name", "axes"), VALUES.items())
def test_shares_are_drawn_from_0_to_1(run: Path, name: str, axes: str):
    for axis in axes:
        found = ticks(run / "figures" / f"{name}.svg", axis)
        assert {0.0, 1.0} <= set(found), (axis, found)


def test_what_is_no_share_is_not(run: Path):
    found = ticks(run / "figures" / "samples-hd95.svg", "x")
    assert found[0] == 0
    assert found[-1] > 1


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_are_centred_on_0(run: Path, name: str):
    found = ticks(run / "figures" / f"{name}.svg", "x")
    assert len(found) >= 3
    assert found == [-value if value else value for value in reversed(found)]


def test_no_figure_is_left_out(run: Path):
    """Every figure with an axis of values is one of the above, or one of the same kind for another case."""
    kinds = {name.split("-")[0] for name in (*VALUES, *DIFFERENCES)} | {"confusion"}  # which has no axis of values
    assert {path.name.split("-")[0].removesuffix(".svg") for path in (run / "figures").iterdir()} == kinds
