"""Samples to look at: all of them while the page has room, fair shares where it has not."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.reporting.html.chosen import CHANGED, MIDDLE, WORST
from btlib.reporting.html.entries import Entry, entries
from btlib.reporting.html.gallery import Gallery, gallery
from btlib.reporting.html.render import weigh
from btlib.reporting.html.views import view

PAGE = 14_000_000  # beside figures and tables


def two_runs(make_run: Callable[..., Path], home: Path, **how: Any) -> list[Entry]:
    """Cases of two runs, of noise, than which no image has more bytes."""
    return entries([view(make_run(home / str(k), strength=0.3 * k, **how)) for k in (1, 2)])


@pytest.fixture(scope="module")
def shown(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """Masks, types, and two of both; twelve small test samples of which three are explained."""
    return two_runs(make_run, tmp_path_factory.mktemp("two"), n=120, size=32, names=("A", "B", "C", "D"), explained=3)


@pytest.fixture(scope="module")
def whole(shown: list[Entry]) -> Gallery:
    return gallery(shown, PAGE, weigh)


def bytes_of(found: Gallery) -> int:
    return sum(map(weigh, found.tiles)) + sum(map(len, found.images.values()))


def counts(found: Gallery) -> Counter[str]:
    return Counter(tile.entry.label for tile in found.tiles)


@pytest.mark.nightly
def test_two_runs_of_seven_cases_fit_whole(make_run: Callable[..., Path], tmp_path: Path):
    """30 test samples of 256 pixels, of which nine are explained."""
    shown = two_runs(make_run, tmp_path, n=150, size=256, names=tuple("ABCDEFG"), explained=9)
    found = gallery(shown, PAGE, weigh)
    assert found.problems == ()
    assert counts(found).keys() == {entry.label for entry in shown}
    for entry in shown:
        ours = [tile for tile in found.tiles if tile.entry is entry]
        kinds = Counter(kind for tile in ours for kind in tile.kinds)
        named = {"worst": WORST, "median": MIDDLE} if entry.has("dice") else {}
        named |= {"changed": CHANGED} if entry.has("dice") and entry.before else {}
        named |= {"explained": 9} if entry.has("accuracy") else {}
        assert kinds == named
        assert sum(tile.map is not None for tile in ours) == named.get("explained", 0)
    assert len(found.tiles) > 160
    assert bytes_of(found) < PAGE
    assert len(found.images) <= 30  # a sample that both runs show is in the page once


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_where_room_is_short_every_case_keeps_its_share(shown: list[Entry], whole: Gallery, share: float):
    room = int(share * bytes_of(whole))
    found = gallery(shown, room, weigh)
    assert bytes_of(found) <= room
    wanted, kept = counts(whole), counts(found)
    full = max(kept[label] for label in wanted)
    assert all(kept[label] >= min(wanted[label], full - 2) for label in wanted)  # none loses all to another
    lost = {label: wanted[label] - kept[label] for label in wanted if kept[label] < wanted[label]}
    assert list(found.problems) == [
        f"not shown, to limit the size of the page: {n} of the {wanted[label]} chosen samples of {label}"
        for label, n in lost.items()
    ]
    assert found.images.keys() == {tile.picture for tile in found.tiles}


def test_what_is_kept_of_a_case_is_of_every_kind(shown: list[Entry], whole: Gallery):
    found = gallery(shown, bytes_of(whole) // 2, weigh)
    both = next(entry for entry in shown if entry.before_name and entry.has("dice") and entry.has("accuracy"))
    kinds = {kind for tile in found.tiles if tile.entry is both for kind in tile.kinds}
    assert kinds == {"worst", "median", "changed", "explained"}


def test_without_room_nothing_is_shown_and_it_says_so(shown: list[Entry]):
    found = gallery(shown, -1, weigh)
    assert (found.tiles, dict(found.images)) == ((), {})
    assert len(found.problems) == len(shown)


def test_a_case_without_masks_shows_its_explained_slices(whole: Gallery):
    types_only = [tile for tile in whole.tiles if tile.entry.row.case == "B"]
    assert {tile.kinds for tile in types_only} == {("explained",)}
    for tile in types_only:
        assert tile.dice is tile.predicted is None
        assert tile.truth != ""
        assert tile.map is not None
        assert tile.map.mass is not None
        assert 0 < tile.map.chance < 1  # type: ignore[operator]
    assert np.ptp([tile.map.mass for tile in types_only]) > 0  # type: ignore[union-attr]
