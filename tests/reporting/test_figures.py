"""The matrix of all pairs: each cell is its row minus its column, with the corrected p."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from btlib.reporting import figures as room
from btlib.reporting.figures import save, significance_matrix
from btlib.reporting.significance import PairTest


def pair(first: str, second: str, difference: float, p_holm: float, metric: str = "dice") -> PairTest:
    low, high = difference - 0.1, difference + 0.1
    return PairTest(
        *("all pairs", first, second, metric, 60, "patient", 10),
        *(difference, low, high, p_holm / 3, False, p_holm, False, None, None, False, False, ""),
    )


TESTS = [
    pair("b", "a", 0.3, 0.09),
    pair("c", "a", -0.1, 0.03),
    pair("c", "b", -0.4, 0.049),
    pair("c", "a", 0.05, 0.5, "accuracy"),
]


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Axes]:
    drawn: list[Figure] = []
    monkeypatch.setattr(room, "save", lambda figure, path: drawn.append(figure))
    significance_matrix(TESTS, tmp_path / "x.svg")
    (figure,) = drawn
    return figure.axes


def test_a_cell_is_its_row_minus_its_column(panels: list[Axes]):
    dice, accuracy = panels
    nan = np.nan
    assert [label.get_text() for label in dice.get_yticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in dice.get_xticklabels()] == ["a", "b", "c"]
    np.testing.assert_array_equal(
        np.ma.filled(dice.images[0].get_array(), nan), [[nan, -0.3, 0.1], [0.3, nan, 0.4], [-0.1, -0.4, nan]]
    )
    np.testing.assert_array_equal(np.ma.filled(accuracy.images[0].get_array(), nan), [[nan, -0.05], [0.05, nan]])
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["a", "c"]
    assert [axes.get_title() for axes in panels] == [f"{m}: row − column, Holm p" for m in ("dice", "accuracy")]


def test_its_numbers_are_written_in_it(panels: list[Axes]):
    texts: dict[tuple[float, float], Text] = {(t.get_position()[1], t.get_position()[0]): t for t in panels[0].texts}
    assert {at: text.get_text() for at, text in texts.items()} == {
        (1, 0): "+0.300\np 0.09",
        (0, 1): "-0.300\np 0.09",
        (2, 0): "-0.100\np 0.03",
        (0, 2): "+0.100\np 0.03",
        (2, 1): "-0.400\np 0.049",
        (1, 2): "+0.400\np 0.049",
    }
    assert {at for at, text in texts.items() if text.get_fontweight() == "bold"} == {(2, 0), (0, 2), (2, 1), (1, 2)}
    assert {at for at, text in texts.items() if text.get_color() == "white"} == {(1, 0), (0, 1), (2, 1), (1, 2)}


def test_blue_is_better_and_red_is_worse(panels: list[Axes]):
    image = panels[0].images[0]
    assert image.get_clim() == (-0.4, 0.4)
    better, worse = (image.cmap(image.norm(value)) for value in (0.4, -0.4))
    assert better[2] > better[0]
    assert worse[0] > worse[2]


def test_equal_cases_have_a_matrix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    significance_matrix([pair("a", "b", 0.0, 1.0)], tmp_path / "x.svg")
    assert "+0.000" in (tmp_path / "x.svg").read_text()


def test_long_names_stand_upright_below(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    drawn: list[Figure] = []
    monkeypatch.setattr(room, "save", lambda figure, path: drawn.append(figure))
    significance_matrix([pair("a", "x" * 30, 0.1, 1.0)], tmp_path / "x.svg")
    significance_matrix([pair("a", "b", 0.1, 1.0)], tmp_path / "x.svg")
    long, short = ([label.get_rotation() for label in figure.axes[0].get_xticklabels()] for figure in drawn)
    assert (long, short) == ([90, 90], [0, 0])
    assert len(drawn[0].axes[0].get_xticklabels()[1].get_text()) == 24


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "x.svg"
    path.write_text("old")
    figure = Figure()

    def broken(target: Path, **how: object) -> None:
        Path(target).write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", broken)
    with pytest.raises(OSError, match="disk full"):
        save(figure, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("x.svg", "old")]


def test_names_are_no_formulas(tmp_path: Path):
    figure = room.new_figure((1, 1))
    figure.text(0, 0, "$x_1$")
    save(figure, tmp_path / "x.svg")
    assert ">$x_1$</text>" in (tmp_path / "x.svg").read_text()
