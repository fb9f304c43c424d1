"""Which slices of a case are shown: the worst, those in the middle, those that changed most, and the explained ones."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.reporting.html.entries import Entry
from btlib.results import mean_in_order
from btlib.slice_table import SliceTable

WORST, MIDDLE, CHANGED = 4, 3, 4

KINDS = {"worst": "worst", "median": "around the median", "changed": "most changed", "explained": "explained"}


@dataclass(frozen=True)
class Chosen:
    """One slice.

    Attributes:
        at: Its position in the first seed's table.
        kinds: Why it was chosen, of `KINDS`.
        turn: Its place among those of a kind, the foremost of its kinds: where room is short, low ones come first.
    """

    at: int
    kinds: tuple[str, ...]
    turn: int


def choose(entry: Entry, explained: Collection[int]) -> list[Chosen]:
    """The slices of a case, each once, those of one kind together; ties go by slice number.

    Args:
        entry: The case; without masks only its explained slices are chosen.
        explained: Numbers of the slices that it has maps of.
    """
    if not entry.result.runs:
        return []
    number = np.array(entry.result.slices.number)
    places = _by_dice(entry, number) if entry.has("dice") else {}
    places["explained"] = np.flatnonzero(np.isin(number, list(explained)))
    kinds: dict[int, list[str]] = {}
    turns: dict[int, int] = {}
    for kind, found in places.items():
        for turn, at in enumerate(found.tolist()):
            kinds.setdefault(at, []).append(kind)
            turns[at] = min(turn, turns.get(at, turn))
    return [Chosen(at, tuple(why), turns[at]) for at, why in kinds.items()]


def changes(entry: Entry) -> NDArray[np.float64] | None:
    """Dice of every slice minus what it was before, float64 [n]; None where that is not known of all of them."""
    order = entry.result.slices
    if not order.has_mask or not entry.before:
        return None
    if any(not run.slices.has_mask or _truth(run.slices) != _truth(order) for run in entry.before):
        return None
    return order.dice() - mean_in_order(entry.before, order, "dice")


def _truth(table: SliceTable) -> dict[int, tuple[int, int]]:
    """Slice number → type and tumour pixels: slices of another data set may have the same numbers."""
    return dict(zip(table.number, zip(table.label, table.truth_area, strict=True), strict=True))


def _by_dice(entry: Entry, number: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Kind → positions in the first seed's table."""
    dice = entry.result.slices.dice()
    order = np.lexsort((number, dice))
    first = max(0, len(order) // 2 - MIDDLE // 2)
    places = {"worst": order[:WORST], "median": order[first : first + MIDDLE]}
    change = changes(entry)
    if change is not None:
        most = np.lexsort((number, -np.abs(change)))[:CHANGED]
        places["changed"] = most[np.abs(change[most]) > 0]
    return places
