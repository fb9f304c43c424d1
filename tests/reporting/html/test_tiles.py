"""Single samples: the picture, the contours of truth and prediction, the map, and the numbers beside them."""

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.evaluation.aggregate import per_sample
from btlib.explain.explained import Control, Explained, ExplainedSample, Group, Measures, Sanity, SanityStep
from btlib.explain.maps import Maps
from btlib.npz import write_npz
from btlib.reporting.html.chosen import Chosen
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.explained_cases import explained_cases
from btlib.reporting.html.gallery import Gallery, _share, gallery
from btlib.reporting.html.maps import SliceMap, maps_of
from btlib.reporting.html.page import Page
from btlib.reporting.html.pictures import Picture, pictures, store_pictures
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.render import render, weigh
from btlib.reporting.html.tiles import Tile, contours, tiles
from btlib.reporting.html.views import View
from btlib.results import SeedRun
from btlib.runs import RunStore
from btlib.runs.cell import Cell
from btlib.runs.masks import Masks
from btlib.sample_table import SampleTable, sample_table

from ..tables import changed, with_measures
from .reader import Reader

Make = Callable[..., Entry]
SIZE = (6, 11)


def rectangle(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """A mask of one structure."""
    mask = np.zeros((1, *SIZE), dtype=bool)
    mask[0, top:bottom, left:right] = True
    return mask


TRUTH = {"7": rectangle(1, 2, 4, 5), "3": rectangle(0, 6, 2, 10)}
SAID = {"7": rectangle(1, 2, 5, 6), "3": rectangle(3, 0, 5, 4)}


@pytest.fixture
def table() -> SampleTable:
    """Samples 7 and 3; the second is taken for a pituitary tumour."""
    ids = ["7", "3"]
    masks = {
        "truth_area": [TRUTH[n] for n in ids],
        "intersection": [TRUTH[n] & SAID[n] for n in ids],
        "pred_area": [SAID[n] for n in ids],
    }
    measures = {name: np.array([mask.sum(axis=(1, 2)) for mask in found]) for name, found in masks.items()}
    prob = np.array([[0.7, 0.2, 0.1], [0.3, 0.2, 0.5]])
    return sample_table(PHANTOM, ids, ["P", "Q"], labels=[0, 1], measures=measures, class_prob=prob)


def without_masks(table: SampleTable) -> SampleTable:
    return with_measures(table, intersection=None, pred_area=None)


@pytest.fixture
def masks() -> Masks:
    packed = np.packbits(np.stack([SAID["3"], SAID["7"]]), axis=3)
    return Masks(np.array(["3", "7"]), packed, SIZE[1])


def picture(name: str) -> Picture:
    return Picture(np.full((6, 6), int(name), dtype=np.uint8), TRUTH[name])


FOUND = {n: picture(n) for n in TRUTH}
ANCHORS = {"7": "image-seven", "3": "image-three"}
CHOSEN = [Chosen(1, ("worst", "changed"), 0), Chosen(0, ("median",), 1)]
MAP = SliceMap("data:image/png;base64,AAAA", 0.456, 0.123)


@pytest.fixture
def made(entry: Make, table: SampleTable, masks: Masks) -> list[Tile]:
    before = with_measures(table, intersection=[0, 4])
    one = replace(entry("A", table), before=(SeedRun(seed=1, fingerprint=None, samples=before),), before_name="b")
    return tiles(one, CHOSEN, FOUND, ANCHORS, masks, {"3": MAP})


def test_a_tile_is_of_its_slice(made: list[Tile], table: SampleTable):
    first, second = made
    assert [(t.id, t.kinds, t.turn, t.picture, t.anchor, t.size) for t in made] == [
        ("3", ("worst", "changed"), 0, "image-three", "sample-A-3", SIZE),
        ("7", ("median",), 1, "image-seven", "sample-A-7", SIZE),
    ]
    for tile in made:
        assert tile.truth == contours(TRUTH[tile.id])
        assert tile.predicted == contours(SAID[tile.id])
    dice = per_sample(table, "dice")
    assert (first.dice, second.dice) == pytest.approx((dice[1], dice[0]))
    assert first.change is not None
    assert first.change < 0 < cast(float, second.change)
    assert (first.label, first.guess, second.label, second.guess) == (
        *("glioma", "pituitary", "meningioma", "meningioma"),
    )
    assert first.probabilities == (("meningioma", 0.3), ("glioma", 0.2), ("pituitary", 0.5))
    assert (first.map, second.map) == (MAP, None)


def test_without_masks_types_or_a_picture(entry: Make, table: SampleTable):
    one = entry("A", table)
    assert [t.predicted for t in tiles(one, CHOSEN, FOUND, ANCHORS, None, {})] == [None, None]
    assert [t.id for t in tiles(one, CHOSEN, {"7": FOUND["7"]}, ANCHORS, None, {})] == ["7"]
    types = entry("B", without_masks(table))
    (first, _) = tiles(types, CHOSEN, FOUND, ANCHORS, None, {})
    assert (first.dice, first.change, first.predicted) == (None, None, None)
    areas = {name: values for name, values in table.columns.items() if name.startswith("tumour/")}
    masks_only = entry("C", changed(table, columns=areas))
    (first, _) = tiles(masks_only, CHOSEN, FOUND, ANCHORS, None, {})
    assert (first.probabilities, first.guess) == ((), "")


def html_of(view: View, found: list[Tile]) -> str:
    shown = Gallery(tuple(found), dict.fromkeys(ANCHORS.values(), "data:,"))
    return render(Page((view,), (found[0].entry,), (), {}, (), "why", (), (), shown))


def page_of(view: View, found: list[Tile]) -> Reader:
    return Reader(html_of(view, found))


def test_what_stands_beside_a_slice(made: list[Tile], empty_view: View, table: SampleTable):
    page = page_of(empty_view, made)
    svgs = [
        a
        for tag, a in page.tags
        if tag == "svg" and (a.get("aria-label") or "").startswith(("Sample", "Relevance map"))
    ]
    assert [(a["aria-label"], a["viewbox"]) for a in svgs] == [
        ("Sample 3 with contours", "0 0 11 6"),
        ("Relevance map of sample 3", "0 0 11 6"),
        ("Sample 7 with contours", "0 0 11 6"),
    ]
    paths = [(a["class"], a["d"]) for tag, a in page.tags if tag == "path" and a.get("class")]
    assert paths == [
        *(("truth", contours(TRUTH["3"])), ("predicted", contours(SAID["3"])), ("truth", contours(TRUTH["3"]))),
        *(("truth", contours(TRUTH["7"])), ("predicted", contours(SAID["7"]))),
    ]
    text = " ".join(page.text["gallery"].split())
    dice = per_sample(table, "dice")
    before = per_sample(with_measures(table, intersection=[0, 4]), "dice")
    assert "lowest Dice · largest change A sample 3" in text
    assert f"{dice[1]:.3f} Dice {dice[1] - before[1]:+.3f} compared with b" in text
    assert f"{dice[0]:.3f} Dice {dice[0] - before[0]:+.3f} compared with b" in text
    assert "46 % of the positive relevance is inside the true mask (tumour); 12 % expected by chance" in text
    assert "true class glioma, predicted pituitary" in text
    assert "true class meningioma" not in text
    assert "meningioma 0.30 glioma 0.20 pituitary 0.50" in text
    marked = re.findall(r'<dt class="true">(\w+)</dt>', html_of(empty_view, made))
    assert marked == ["glioma", "meningioma"], "the true type, not the predicted one"
    changes = [a["class"] for tag, a in page.tags if tag == "span" and a.get("class") in ("good", "bad", "off")]
    assert changes == ["bad", "good"]


def test_only_what_is_there_stands_beside_a_slice(made: list[Tile], empty_view: View):
    bare = replace(made[0], dice=None, change=None, predicted=None, probabilities=(), map=None)
    text = " ".join(page_of(empty_view, [bare]).text["gallery"].split())
    assert "this case predicts no masks" in text
    assert "glioma; this case predicts no classes" in text
    assert "relevance in the tumour" not in text
    lost = replace(made[0], predicted=None, change=0.0, map=replace(MAP, mass=None, chance=None))
    text = " ".join(page_of(empty_view, [lost]).text["gallery"].split())
    assert "the predicted mask is not stored" in text
    assert "relevance in the tumour" not in text


def test_contours_of_parts_and_holes():
    mask = rectangle(0, 0, 6, 7) & ~rectangle(2, 2, 4, 5) | rectangle(5, 10, 6, 11)
    assert contours(mask).count("M") == contours(mask).count("Z") == 3
    assert "M10.5,5.5Z" in contours(mask)  # across, then down


def tile(turn: int, image: str) -> Tile:
    nobody = cast(Entry, None)
    return Tile("x", nobody, ("worst",), turn, "1", image, (1, 1), "", None, None, None, "glioma", (), None)


def test_cases_take_turns_where_room_is_short():
    """The foremost of each kind first; an image that is there already costs nothing more."""
    first = [tile(2, "p"), tile(0, "q"), tile(1, "r")]
    second = [tile(0, "r"), tile(1, "s")]
    images = dict.fromkeys("pqrs", "x" * 100)

    def kept(room: int) -> list[list[str]]:
        found = _share([first, second], images, room, lambda tile: 10)
        return [[t.picture for t in some] for some in found]

    assert kept(10_000) == [["p", "q", "r"], ["r", "s"]]
    assert kept(310) == [["q"], []]
    assert kept(309) == [[], []]
    assert kept(620) == [["q"], ["r"]]
    assert kept(630) == [["q", "r"], ["r"]]
    assert kept(940) == [["q", "r"], ["r", "s"]]


@pytest.fixture
def view(empty_view: View) -> View:
    """A run with pictures of its two samples."""
    store_pictures(empty_view.store.path / "pictures.npz", FOUND)
    return empty_view


def test_the_gallery_of_a_run(view: View, entry: Make, table: SampleTable, masks: Masks):
    """The first seed's masks; what is left out is counted by case."""
    masks.save(view.store.masks_path(Cell("A", 9)))
    types = without_masks(table)
    one, other = entry("A", table, table, seeds=(9, 10)), entry("B", types)
    found = gallery([one, other], 10**6, lambda tile: 10)
    assert [(t.entry.label, t.id, t.predicted) for t in found.tiles] == [
        ("A", "3", contours(SAID["3"])),
        ("A", "7", contours(SAID["7"])),
    ]
    assert found.problems == ()
    assert list(found.images.values()) == [FOUND["3"].address, FOUND["7"].address]
    size = 210 + max(len(picture.address) for picture in FOUND.values())
    short = gallery([one, other], size, lambda tile: 10)
    assert [t.id for t in short.tiles] == ["3"]
    assert list(short.images) == [short.tiles[0].picture]
    assert short.problems == ("not shown, to limit the size of the page: 1 of the 2 chosen samples of A",)


def test_masks_that_were_not_kept_are_missed(view: View, entry: Make, table: SampleTable, masks: Masks):
    masks.save(view.store.masks_path(Cell("A", 2)))  # of another seed than the first
    found = gallery([entry("A", table)], 10**6, weigh)
    path = view.store.masks_path(Cell("A", 1))
    assert found.problems == (f"case A: its predicted masks were not stored: {path} does not exist",)
    assert [t.predicted for t in found.tiles] == [None, None]


def test_a_picture_is_of_the_slice_that_was_measured(view: View):
    """Another mask under the same id is another sample."""
    problems = Problems()
    found = pictures(view, {"7": [9], "3": [7]}, problems)
    assert list(found) == ["7"]
    assert problems.said == ("the data has changed since the run: some samples are not those that were measured",)
    assert pictures(view, {}, problems) == {}
    assert list(pictures(view, {"3": [8], "7": [9]}, problems)) == ["3", "7"]


def test_pictures_survive_being_kept(view: View):
    found = pictures(view, {"7": [9], "3": [8]}, Problems())
    assert found.keys() == {"7", "3"}
    for name, one in found.items():
        assert np.array_equal(one.image, FOUND[name].image)
        assert np.array_equal(one.truth, TRUTH[name])


def test_pictures_that_were_kept_by_number_are_read(view: View):
    """As btlib wrote them before samples had ids: one structure, without an axis for it."""
    names = ["3", "7"]
    arrays = {
        "numbers": np.array([3, 7]),
        "images": np.stack([FOUND[name].image for name in names]),
        "packed": np.packbits(np.concatenate([TRUTH[name] for name in names]), axis=2),
        "width": np.array(SIZE[1]),
    }
    write_npz(view.store.path / "pictures.npz", arrays)
    found = pictures(view, {"7": [9], "3": [8]}, Problems())
    assert found.keys() == {"7", "3"}
    assert all(np.array_equal(one.truth, TRUTH[name]) for name, one in found.items())


def test_a_picture_of_several_structures_is_that_of_each_of_them(view: View):
    """The same pixels in all, otherwise shared out, are another truth."""
    truth = np.concatenate([rectangle(0, 0, 1, 3), rectangle(2, 0, 3, 2)])
    store_pictures(view.store.path / "pictures.npz", {"a/b": Picture(np.zeros((6, 6), np.uint8), truth)})
    problems = Problems()
    assert np.array_equal(pictures(view, {"a/b": [3, 2]}, problems)["a/b"].truth, truth)
    assert problems.said == ()
    assert pictures(view, {"a/b": [2, 3]}, problems) == {}


def test_pictures_are_kept_with_those_of_before(view: View, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Only what is lacking is taken from the data, at the size and scaling of the record; then all are there."""
    from btlib.reporting.html import pictures as room

    asked: list[tuple[Any, ...]] = []
    truth = np.stack([rectangle(0, 0, 1, 1), rectangle(0, 0, 2, 2), TRUTH["7"]])
    data = SimpleNamespace(ids=np.array(["5", "9", "7"]), images=np.zeros((3, 1, *SIZE), np.float32), masks=truth)

    def load(*how: Any) -> Any:
        asked.append(how)
        return data

    monkeypatch.setattr("btlib.data.load_dataset", load)
    conditions = SimpleNamespace(of_images=lambda: (36, "percentile"))
    info = view.info.model_copy(update={"data_folder": str(tmp_path)})
    read = replace(view, info=info, records=cast(Any, (SimpleNamespace(conditions=conditions),)))
    found = room.pictures(read, {"9": [4], "3": [8]}, Problems())
    assert {name: int(one.truth.sum()) for name, one in found.items()} == {"9": 4, "3": 8}
    assert asked == [(str(tmp_path), 36, "percentile")]
    assert pictures(view, {"9": [4], "3": [8], "7": [9]}, Problems()).keys() == {"9", "3", "7"}
    assert len(asked) == 1


def test_grey_values_are_stretched_between_the_percentiles():
    """Of the first channel."""

    def of(image: np.ndarray) -> np.ndarray:
        return Picture.of(np.stack([image, image[::-1]]), np.ones((1, *image.shape), bool)).image

    image = np.arange(1000, dtype=np.float32).reshape(20, 50)
    assert of(image).shape == (20, 20), "square, as the page shows it"
    exact = of(np.arange(900, dtype=np.float32).reshape(30, 30))
    low, high = np.percentile(np.arange(900), (0.5, 99.5))
    wanted = np.clip((np.arange(900) - low) / (high - low) * 255, 0, 255).astype(np.uint8).reshape(30, 30)
    assert np.array_equal(exact, wanted)
    assert of(np.zeros((300, 260), np.float32)).shape == (256, 256)
    assert of(np.ones((4, 4), np.float32)).max() == 0


def pixels(address: str) -> np.ndarray:
    """Blue, green, red of a picture in a data address."""
    png = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    return np.asarray(cv2.imdecode(png, cv2.IMREAD_COLOR))


def measures(mass: float) -> Measures:
    return Measures(inside=1.0, outside=0.5, ratio=2.0, pointing=1.0, tied=1, mass=mass, silent=False)


def explained(case: str = "A", sanity: Sanity | None = None) -> Explained:
    """Samples 3 and 7, in another order than their maps."""
    known = Control(pointing=0.5, mass=0.5)
    rows = [
        ExplainedSample(
            **{"id": str(n), "label": 0, "patient": None, "part": "test", "base": 0.5, "effect": 0.1, "engine": "e"},
            **{"precision": "fp32", "deviation": None, "faithful": None, "notes": [], "chance": n / 100},
            **{"total": measures(0.99), "average": measures(n / 10), "centre": known},
            **{"random_total": known, "random_average": known},
        )
        for n in (7, 3)
    ]
    group = {"unit": "patient", "units": 2, "ratio": None, "hits_low": 0.0, "hits_high": 1.0, "silent": 0, "means": {}}
    return Explained(
        **{"case": case, "identity": None, "task": PHANTOM, "dataset_fingerprint": "d", "split_name": "s"},
        **{"split_fingerprint": "f", "image_size": 6, "scaling": "thesis", "patch": 2, "stride": 1, "fill": "blur"},
        samples=rows,
        summary={"glioma": Group(n=1, hits=1, **group), "all": Group(n=2, hits=2, **group)},
        **{"sanity": sanity, "seconds": 1.0, "created": "now"},
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunStore:
    """Maps of samples 3 and 7: the first needs its left half, the second is surer without its top."""
    folder = RunStore(tmp_path / "run")
    total = np.zeros((2, *SIZE), np.float32)
    total[0, :, :5] = 0.5
    total[0, 0, 0] = 1.0
    total[1, :3] = -2.0
    total[1, 3, 0] = -0.5
    two = np.zeros(2)
    Maps(np.array(["3", "7"]), two.astype(np.int64), two, total, np.zeros_like(total), "").save(
        folder.explain_place.file("A", "npz")
    )
    explained().save(folder.explain_place.file("A", "json"))
    return folder


def test_red_is_where_the_model_needs_what_is_there(folder: RunStore):
    found = maps_of(folder.explain_place, "A", Problems())
    assert {n: (m.mass, m.chance) for n, m in found.items()} == {"3": (0.3, 0.03), "7": (0.7, 0.07)}
    needed, surer = (pixels(found[n].address).astype(int) for n in ("3", "7"))
    assert needed.shape == surer.shape == (*SIZE, 3)
    assert needed[0, 0, 2] > needed[0, 0, 0] + 50  # red
    assert surer[0, 0, 0] > surer[0, 0, 2] + 50  # blue
    assert surer[0, 0].sum() < surer[3, 0].sum() < surer[5, 10].sum()
    assert np.ptp(needed[5, 10]) < 10  # zero is white
    assert np.ptp(surer[5, 10]) < 10
    assert needed[0, 0].sum() < needed[5, 0].sum() < needed[5, 10].sum(), "the larger, the stronger"


def test_maps_without_measures_are_shown_without_their_numbers(folder: RunStore):
    problems = Problems()
    folder.explain_place.file("A", "json").unlink()
    found = maps_of(folder.explain_place, "A", problems)
    assert {(m.mass, m.chance) for m in found.values()} == {(None, None)}
    assert str(folder.explain_place.file("A", "json")) in problems.said[0]
    assert maps_of(folder.explain_place, "nobody", problems) == {}
    assert len(problems.said) == 1


def test_a_look_is_of_all_slices_and_of_random_weights_throughout(empty_view: View, entry: Make):
    """The last step of the sanity check, in which every layer is random."""
    steps = [
        SanityStep(layer=name, correlation=value, size=0.5, correlations=[value])
        for name, value in (("head", 0.75), ("body", 0.25))
    ]
    sanity = Sanity(ids=["3"], draws=1, patch=2, steps=steps)
    for case, known in (("A", sanity), ("B", None)):
        explained(case, known).save(empty_view.store.explain_place.file(case, "json"))
    empty_view.store.explain_place.file("damaged", "json").write_text("{")
    found = explained_cases([entry("B"), entry("A"), entry("nobody"), entry("damaged")])
    assert [(one.label, one.group.n, one.fill, one.destroyed) for one in found] == [
        ("B", 2, "blur", None),
        ("A", 2, "blur", 0.25),
    ]
