"""Tiles of the gallery: one sample of one case with contours, numbers and relevance map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.aggregate import per_sample
from btlib.reporting.html.chosen import Chosen, changes
from btlib.reporting.html.entries import Entry, anchor_of
from btlib.reporting.html.maps import SliceMap
from btlib.reporting.html.pictures import Picture
from btlib.runs.masks import Masks


@dataclass(frozen=True, eq=False)
class Tile:
    """One sample of one case.

    Attributes:
        anchor: Anchor of the tile in the page.
        entry: Case of the sample.
        kinds: Reasons for the choice, keys of `KINDS`.
        turn: Order of choice, as in `Chosen`.
        id: Id of the sample.
        picture: Anchor of its image in the page.
        size: Height and width of the masks in pixels.
        truth: Contours of the true mask, as the `d` of an SVG path.
        predicted: Contours of the predicted mask; None if it is not stored.
        dice: Dice of the first seed; None for a case without masks.
        change: Dice minus the Dice of `Entry.before`; None if it is unknown.
        label: True class; empty for a task without classes.
        probabilities: Name and probability of each class; empty for a case without classes.
        map: Relevance map; None if the run has no map of the sample.
    """

    anchor: str
    entry: Entry
    kinds: tuple[str, ...]
    turn: int
    id: str
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
        """Most probable class; empty for a case without classes."""
        return max(self.probabilities, key=lambda pair: pair[1])[0] if self.probabilities else ""


def tiles(
    entry: Entry,
    chosen: Sequence[Chosen],
    found: Mapping[str, Picture],
    anchors: Mapping[str, str],
    masks: Masks | None,
    maps: Mapping[str, SliceMap],
) -> list[Tile]:
    """Return a tile for each chosen sample that has a picture.

    Args:
        entry: Case of the samples.
        chosen: Chosen samples.
        found: Pictures by id.
        anchors: Anchors of the pictures in the page, by id.
        masks: Predicted masks; None if they are not stored.
        maps: Relevance maps by id; samples may be missing.
    """
    table, change = entry.result.samples, changes(entry)
    dice = per_sample(table, "dice") if table.has_mask else None
    made = []
    for one in chosen:
        name = table.id[one.at]
        if name not in found:
            continue
        truth = found[name].truth
        mask = masks.of(name) if masks is not None else None
        probabilities = zip(table.classes, table.class_prob[one.at].tolist(), strict=True) if table.has_classes else ()
        made.append(
            Tile(
                anchor=f"sample-{entry.safe}-{anchor_of(name)}",
                entry=entry,
                kinds=one.kinds,
                turn=one.turn,
                id=name,
                picture=anchors[name],
                size=(truth.shape[1], truth.shape[2]),
                truth=contours(truth),
                predicted=None if mask is None else contours(mask),
                dice=None if dice is None else float(dice[one.at]),
                change=None if change is None else float(change[one.at]),
                label="" if table.label is None else table.classes[table.label[one.at]],
                probabilities=tuple(probabilities),
                map=maps.get(name),
            )
        )
    return made


def contours(mask: NDArray[np.bool_]) -> str:
    """Return outlines of masks [structures, h, w] as the `d` of an SVG path, through the centres of the edge pixels."""
    import cv2

    found = [
        line
        for plane in mask
        for line in cv2.findContours(plane.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]
    ]
    return "".join("M" + " ".join(f"{x + 0.5:g},{y + 0.5:g}" for x, y in line[:, 0]) + "Z" for line in found)
