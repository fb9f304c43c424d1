"""Samples to look at: those of each case that were chosen, as far as the page has room, shared among the cases."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest

from btlib.reporting.html.chosen import choose
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.maps import maps_of
from btlib.reporting.html.pictures import pictures
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.tiles import Tile, tiles
from btlib.reporting.html.views import View
from btlib.runs.masks import Masks

_AROUND = 200  # bytes of the page around an image


@dataclass(frozen=True, eq=False)
class Gallery:
    """All tiles, their images by anchor, and what could not be shown."""

    tiles: tuple[Tile, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def gallery(entries: Sequence[Entry], room: int, weigh: Callable[[Tile], int]) -> Gallery:
    """Choose samples of each case and draw them.

    Args:
        entries: The cases.
        room: Bytes that the gallery may take of the page.
        weigh: Bytes of a tile without its image, which several tiles may share.
    """
    problems = Problems()
    images: dict[str, str] = {}
    made: list[list[Tile]] = []
    for view in dict.fromkeys(entry.view for entry in entries):
        of_view, of_images = _of_view(view, [entry for entry in entries if entry.view is view], problems)
        made += of_view
        images |= of_images
    kept = _share(made, images, room, weigh)
    for some, shown in zip(made, kept, strict=True):
        if len(shown) < len(some):
            of = f"{len(some) - len(shown)} of the {len(some)} chosen samples of {some[0].entry.label}"
            problems.add(f"left out, to keep the page small: {of}")
    found = tuple(tile for shown in kept for tile in shown)
    return Gallery(found, {tile.picture: images[tile.picture] for tile in found}, problems.said)


def _of_view(view: View, entries: Sequence[Entry], problems: Problems) -> tuple[list[list[Tile]], dict[str, str]]:
    """Tiles of each case of a run, and their images by anchor, which is the same for the same image of any run."""
    maps = {entry: maps_of(view.store.explain_place, entry.row.case, problems) for entry in entries}
    chosen = {entry: choose(entry, maps[entry]) for entry in entries}
    areas = {
        entry.result.samples.id[one.at]: entry.result.samples.truth_area[one.at].tolist()
        for entry in entries
        for one in chosen[entry]
    }
    found = pictures(view, areas, problems)
    addresses = {number: picture.address for number, picture in found.items()}
    anchors = {n: f"image-{hashlib.sha256(address.encode()).hexdigest()[:16]}" for n, address in addresses.items()}
    made = [
        tiles(entry, some, found, anchors, _masks(entry, problems), maps[entry])
        for entry, some in chosen.items()
        if some
    ]
    return made, {anchors[number]: address for number, address in addresses.items()}


def _masks(entry: Entry, problems: Problems) -> Masks | None:
    """What the first seed predicted; None, and said, where it is not there though the case has masks."""
    if not entry.has("dice"):
        return None
    store = entry.view.store
    cells = [record.cell for record in entry.records if record.seed == entry.result.runs[0].seed]
    for path in (path for path in map(store.masks_path, cells) if not path.exists()):
        problems.add(f"case {entry.label}: its predicted masks were not stored: there is no {path}")
    found = [problems.attempt(partial(store.masks, cell)) for cell in cells]
    there = [masks for masks in found if masks is not None]
    return Masks.together(there) if there else None


def _share(
    made: Sequence[Sequence[Tile]], images: Mapping[str, str], room: int, weigh: Callable[[Tile], int]
) -> list[list[Tile]]:
    """Of each case the tiles there is room for: the cases take turns, so that a late one loses no more than others."""
    kept: list[set[Tile]] = [set() for _ in made]
    there: set[str] = set()
    for turn in zip_longest(*(sorted(some, key=lambda tile: tile.turn) for some in made)):
        for tile, held in zip(turn, kept, strict=True):
            if tile is None:
                continue
            cost = weigh(tile) + (0 if tile.picture in there else _AROUND + len(images[tile.picture]))
            if cost <= room:
                room -= cost
                there.add(tile.picture)
                held.add(tile)
    return [[tile for tile in some if tile in held] for some, held in zip(made, kept, strict=True)]
