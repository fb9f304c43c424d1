"""One slice of one case as the gallery shows it: contours, numbers, and the map of what mattered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.reporting.html.chosen import Chosen, changes
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.maps import SliceMap
from btlib.reporting.html.pictures import Picture
from btlib.runs.masks import Masks
from btlib.types import CLASS_NAMES


@dataclass(frozen=True, eq=False)
class Tile:
    """One slice of one case.

    Attributes:
        anchor: Its place in the page.
        entry: The case.
        kinds: Why it was chosen, of `KINDS`.
        turn: As in `Chosen`.
        number: Of the slice.
        picture: Anchor of its image in the page.
        size: Height and width of the masks in pixels.
        truth: Contours of the true mask, as the `d` of an SVG path.
        predicted: Contours of the predicted mask; None where it is not there.
        dice: Of the first seed; None for a case without masks.
        change: Dice minus that of `before`; None where that is not known.
        label: True type.
        probabilities: Name and probability of each type; empty for a case without classes.
        map: What mattered; None where the run has no map of it.
    """

    anchor: str
    entry: Entry
    kinds: tuple[str, ...]
    turn: int
    number: int
    picture: str
    size: tuple[int, int]
    truth: str
    predicted: str | None
    dice: float | None
    change: float | None
    label: str
    probabilities: tuple[tuple[str, float], ...]
    map: SliceMap | None

    @property
    def guess(self) -> str:
        """The most probable type; empty for a case without classes."""
        return max(self.probabilities, key=lambda pair: pair[1])[0] if self.probabilities else ""


def tiles(
    entry: Entry,
    chosen: Sequence[Chosen],
    found: Mapping[int, Picture],
    anchors: Mapping[int, str],
    masks: Masks | None,
    maps: Mapping[int, SliceMap],
) -> list[Tile]:
    """A tile for each chosen slice that there is a picture of.

    Args:
        entry: The case.
        chosen: Its slices.
        found: Pictures by number.
        anchors: Where they stand in the page, by number.
        masks: What the case predicted; None where that is not there.
        maps: What mattered, by number; slices may lack one.
    """
    table, change = entry.result.slices, changes(entry)
    dice = table.dice() if table.has_mask else None
    made = []
    for one in chosen:
        number = table.number[one.at]
        if number not in found:
            continue
        truth = found[number].truth
        mask = masks.of(number) if masks is not None else None
        probabilities = zip(CLASS_NAMES, table.class_prob[one.at], strict=True) if table.class_prob else ()
        made.append(
            Tile(
                anchor=f"slice-{entry.safe}-{number}",
                entry=entry,
                kinds=one.kinds,
                turn=one.turn,
                number=number,
                picture=anchors[number],
                size=(truth.shape[0], truth.shape[1]),
                truth=contours(truth),
                predicted=None if mask is None else contours(mask),
                dice=None if dice is None else float(dice[one.at]),
                change=None if change is None else float(change[one.at]),
                label=CLASS_NAMES[table.label[one.at]],
                probabilities=tuple(probabilities),
                map=maps.get(number),
            )
        )
    return made


def contours(mask: NDArray[np.bool_]) -> str:
    """Outlines of a mask [h, w] as the `d` of an SVG path, through the middles of its outermost pixels."""
    import cv2

    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return "".join("M" + " ".join(f"{x + 0.5:g},{y + 0.5:g}" for x, y in line[:, 0]) + "Z" for line in found)
