"""Slices to look at: of each case with masks the worst, those in the middle, those that changed most, and those with
a map of what mattered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.errors import BtlibError
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.maps import map_address, maps_of
from btlib.reporting.html.pictures import Picture, pictures
from btlib.results import mean_in_order
from btlib.types import CLASS_NAMES

WORST, MIDDLE, CHANGED = 4, 3, 4
_MOST = 160  # tiles of a page: sixteen kilobytes each

KINDS = {"worst": "worst", "median": "around the median", "changed": "most changed", "explained": "explained"}


@dataclass(frozen=True, eq=False)
class Tile:
    """One slice of one case.

    Attributes:
        anchor: Its place in the page.
        entry: The case.
        kinds: Why it was chosen, of `KINDS`.
        number: Of the slice.
        picture: Anchor of its image in the page.
        size: Height and width of the masks in pixels.
        truth: Contours of the true mask, as the `d` of an SVG path.
        predicted: Contours of the predicted mask.
        dice: Of the first seed.
        change: Dice minus that of `before`; None where that is not known.
        label: True type.
        probabilities: Name and probability of each type; empty for a case without classes.
        map: A map of what mattered, as a data address; empty where the run has none.
    """

    anchor: str
    entry: Entry
    kinds: tuple[str, ...]
    number: int
    picture: str
    size: tuple[int, int]
    truth: str
    predicted: str
    dice: float
    change: float | None
    label: str
    probabilities: tuple[tuple[str, float], ...]
    map: str

    @property
    def guess(self) -> str:
        """The most probable type; empty for a case without classes."""
        return max(self.probabilities, key=lambda pair: pair[1])[0] if self.probabilities else ""


@dataclass(frozen=True, eq=False)
class Gallery:
    """All tiles, their images by anchor, and what could not be shown."""

    tiles: tuple[Tile, ...]
    images: Mapping[str, str]
    problems: tuple[str, ...]


def gallery(entries: Sequence[Entry]) -> Gallery:
    """Choose slices of each case and draw their contours."""
    chosen = {entry.label: _choose(entry) for entry in entries if entry.has("dice")}
    tiles: list[Tile] = []
    images: dict[str, str] = {}
    problems: dict[str, None] = {}
    for k, view in enumerate(dict.fromkeys(entry.view for entry in entries)):
        ours = [entry for entry in entries if entry.view is view and chosen.get(entry.label)]
        found, problem = pictures(view, _areas(ours, chosen))
        problems |= {problem: None} if problem else {}
        for entry in ours:
            made, problem = _tiles(entry, chosen[entry.label], found, f"image{k}")
            tiles += made
            problems |= {problem: None} if problem else {}
        images |= {f"image{k}-{n}": found[n].address for n in _shown(tiles, f"image{k}-") & found.keys()}
    if len(tiles) > _MOST:
        problems[f"{len(tiles) - _MOST} more slices are left out, to keep the page small"] = None
    return Gallery(tuple(tiles[:_MOST]), images, tuple(problems))


def _shown(tiles: Sequence[Tile], prefix: str) -> set[int]:
    return {tile.number for tile in tiles[:_MOST] if tile.picture.startswith(prefix)}


def _areas(entries: Sequence[Entry], chosen: Mapping[str, Mapping[int, list[str]]]) -> dict[int, int]:
    return {
        entry.result.slices.number[at]: entry.result.slices.truth_area[at]
        for entry in entries
        for at in chosen[entry.label]
    }


def changes(entry: Entry) -> NDArray[np.float64] | None:
    """Dice of every slice minus what it was before, float64 [n]; None where that is not known of all of them."""
    numbers = set(entry.result.slices.number)
    if not entry.before or any(not run.slices.has_mask or set(run.slices.number) != numbers for run in entry.before):
        return None
    order = entry.result.slices
    return order.dice() - mean_in_order(entry.before, order, "dice")


def _choose(entry: Entry) -> dict[int, list[str]]:
    """Positions in the first seed's table → why; ties go by slice number."""
    table = entry.result.slices
    dice, number = table.dice(), np.array(table.number)
    order = np.lexsort((number, dice))
    middle = len(order) // 2
    first = max(0, middle - MIDDLE // 2)
    chosen = {"worst": order[:WORST], "median": order[first : first + MIDDLE]}
    change = changes(entry)
    if change is not None and np.abs(change).max() > 0:
        most = np.lexsort((number, -np.abs(change)))[:CHANGED]
        chosen["changed"] = most[np.abs(change[most]) > 0]
    maps = maps_of(entry.view.folder, entry.row.case)
    if maps is not None:
        chosen["explained"] = np.flatnonzero(np.isin(number, maps.number))
    found: dict[int, list[str]] = {}
    for kind, places in chosen.items():
        for at in places:
            found.setdefault(int(at), []).append(kind)
    return found


def _tiles(
    entry: Entry, chosen: Mapping[int, list[str]], found: Mapping[int, Picture], prefix: str
) -> tuple[list[Tile], str]:
    case, seed = entry.row.case, entry.result.runs[0].seed
    try:
        masks = entry.view.folder.masks(case, seed)
    except BtlibError as error:
        return [], str(error)
    if masks is None:
        return [], f"case {entry.label}: its predicted masks were not kept"
    table, change = entry.result.slices, changes(entry)
    dice, maps = table.dice(), maps_of(entry.view.folder, case)
    tiles = []
    for at, kinds in chosen.items():
        number, mask = table.number[at], masks.of(table.number[at])
        if number not in found or mask is None:
            continue
        probabilities = zip(CLASS_NAMES, table.class_prob[at], strict=True) if table.class_prob else ()
        tiles.append(
            Tile(
                anchor=f"slice-{entry.safe}-{number}",
                entry=entry,
                kinds=tuple(kinds),
                number=number,
                picture=f"{prefix}-{number}",
                size=(mask.shape[0], mask.shape[1]),
                truth=contours(found[number].truth),
                predicted=contours(mask),
                dice=float(dice[at]),
                change=None if change is None else float(change[at]),
                label=CLASS_NAMES[table.label[at]],
                probabilities=tuple(probabilities),
                map=map_address(maps, number),
            )
        )
    return tiles, ""


def contours(mask: NDArray[np.bool_]) -> str:
    """Outlines of a mask [h, w] as the `d` of an SVG path, through the middles of its outermost pixels."""
    import cv2

    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return "".join("M" + " ".join(f"{x + 0.5:g},{y + 0.5:g}" for x, y in line[:, 0]) + "Z" for line in found)
