"""Gallery of chosen samples; the limited space of the page is shared among the cases."""

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

_AROUND = 200  # bytes of markup around an image


@dataclass(frozen=True, eq=False)
class Gallery:
    """Tiles of the gallery, their images by anchor, and messages on samples that are not shown."""

    tiles: tuple[Tile, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def gallery(entries: Sequence[Entry], room: int, weigh: Callable[[Tile], int]) -> Gallery:
    """Choose samples of each case and draw them.

    Args:
        entries: Cases of the page.
        room: Available bytes for the gallery.
        weigh: Function that returns the bytes of a tile without its image, which several tiles may share.
    """
    problems = Problems()
    images: dict[str, str] = {}
    made: list[list[Tile]] = []
    for view in dict.fromkeys(entry.view for entry in entries):
        of_view, of_images = _of_view(view, [entry for entry in entries if entry.view is view], problems)
        made += of_view
        images |= of_images
    selected = _share(made, images, room, weigh)
    for some, shown in zip(made, selected, strict=True):
        if len(shown) < len(some):
            of = f"{len(some) - len(shown)} of the {len(some)} chosen samples of {some[0].entry.label}"
            problems.add(f"not shown, to limit the size of the page: {of}")
    found = tuple(tile for shown in selected for tile in shown)
    return Gallery(found, {tile.picture: images[tile.picture] for tile in found}, problems.said)


def _of_view(view: View, entries: Sequence[Entry], problems: Problems) -> tuple[list[list[Tile]], dict[str, str]]:
    """Return the tiles of each case of a run, and images by anchor; equal images of several runs share one anchor."""
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
    """Return the first seed's predicted masks; missing masks of a case with masks are added to `problems`."""
    if not entry.has("dice"):
        return None
    store = entry.view.store
    cells = [record.cell for record in entry.records if record.seed == entry.result.runs[0].seed]
    for path in (path for path in map(store.masks_path, cells) if not path.exists()):
        problems.add(f"case {entry.label}: its predicted masks were not stored: {path} does not exist")
    found = [problems.attempt(partial(store.masks, cell)) for cell in cells]
    there = [masks for masks in found if masks is not None]
    return Masks.together(there) if there else None


def _share(
    made: Sequence[Sequence[Tile]], images: Mapping[str, str], room: int, weigh: Callable[[Tile], int]
) -> list[list[Tile]]:
    """Return the tiles of each case that fit; the cases take turns, so that each gets a similar share of the space."""
    selected: list[set[Tile]] = [set() for _ in made]
    there: set[str] = set()
    for turn in zip_longest(*(sorted(some, key=lambda tile: tile.turn) for some in made)):
        for tile, taken in zip(turn, selected, strict=True):
            if tile is None:
                continue
            cost = weigh(tile) + (0 if tile.picture in there else _AROUND + len(images[tile.picture]))
            if cost <= room:
                room -= cost
                there.add(tile.picture)
                taken.add(tile)
    return [[tile for tile in some if tile in taken] for some, taken in zip(made, selected, strict=True)]
