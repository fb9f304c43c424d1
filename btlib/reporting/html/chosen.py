"""Selection of a case's samples for the gallery: lowest Dice, median Dice, largest change, and explained samples."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.aggregate import per_sample
from btlib.natural_order import natural
from btlib.reporting.html.entries import Entry
from btlib.results import mean_in_order
from btlib.sample_table import SampleTable

WORST, MIDDLE, CHANGED = 4, 3, 4

KINDS = {
    "worst": "lowest Dice",
    "median": "around the median Dice",
    "changed": "largest change",
    "explained": "with relevance map",
}


@dataclass(frozen=True)
class Chosen:
    """One chosen sample.

    Attributes:
        at: Position of the sample in the first seed's table.
        kinds: Reasons for the choice, keys of `KINDS`.
        turn: Best position of the sample among the samples of its kinds; low numbers are shown first if space is short.
    """

    at: int
    kinds: tuple[str, ...]
    turn: int


def choose(entry: Entry, explained: Collection[str]) -> list[Chosen]:
    """Choose samples of a case, each once, grouped by kind; ties are ordered by id.

    Args:
        entry: Case; without masks, only its explained samples are chosen.
        explained: Ids of the samples with maps.
    """
    if not entry.result.runs:
        return []
    ids = entry.result.samples.id
    places = _by_dice(entry) if entry.result.samples.has_mask else {}
    places["explained"] = np.array([i for i, name in enumerate(ids) if name in explained], dtype=np.int64)
    kinds: dict[int, list[str]] = {}
    turns: dict[int, int] = {}
    for kind, found in places.items():
        for turn, at in enumerate(found.tolist()):
            kinds.setdefault(at, []).append(kind)
            turns[at] = min(turn, turns.get(at, turn))
    return [Chosen(at, tuple(why), turns[at]) for at, why in kinds.items()]


def changes(entry: Entry) -> NDArray[np.float64] | None:
    """Return Dice minus the compared Dice of every sample, float64 [n]; None unless it is known for all samples."""
    order = entry.result.samples
    if not order.has_mask or not entry.before:
        return None
    if any(not run.samples.has_mask or _truth(run.samples) != _truth(order) for run in entry.before):
        return None
    return per_sample(order, "dice") - mean_in_order(entry.before, order, "dice")


def _truth(table: SampleTable) -> dict[str, tuple[int, list[int]]]:
    """Return id → class and true pixels, because samples of another data set may have the same ids."""
    labels = [0] * table.n if table.label is None else table.label
    return dict(zip(table.id, zip(labels, table.truth_area.tolist(), strict=True), strict=True))


def _by_dice(entry: Entry) -> dict[str, NDArray[np.int64]]:
    """Return kind → positions in the first seed's table."""
    table = entry.result.samples
    dice, place = per_sample(table, "dice"), _places(table.id)
    order = np.lexsort((place, dice))
    first = max(0, len(order) // 2 - MIDDLE // 2)
    places = {"worst": order[:WORST], "median": order[first : first + MIDDLE]}
    change = changes(entry)
    if change is not None:
        most = np.lexsort((place, -np.abs(change)))[:CHANGED]
        places["changed"] = most[np.abs(change[most]) > 0]
    return places


def _places(ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the rank of every id in natural order."""
    places = np.empty(len(ids), dtype=np.int64)
    places[sorted(range(len(ids)), key=lambda i: natural(ids[i]))] = np.arange(len(ids))
    return places
