"""Copies of every kind are found, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from btlib.data.audit.align import aligned
from btlib.data.audit.run import audit, compare
from btlib.data.audit.similar import TURNS, _over_symmetries, turned
from btlib.data.audit.thumbnail import TRANSPOSE, border, descriptor, grey, shrunk, structure

from .conftest import H, Row, W, Write, of, save, scan, write_table

Change = Callable[[NDArray[np.uint8]], NDArray[np.generic]]


def _resized(image: NDArray[np.uint8]) -> NDArray[np.generic]:
    return np.asarray(cv2.resize(image, (77, 64), interpolation=cv2.INTER_AREA))


def _turned_a_little(image: NDArray[np.uint8]) -> NDArray[np.generic]:
    return np.asarray(cv2.warpAffine(image, cv2.getRotationMatrix2D((W / 2, H / 2), 3, 1), (W, H)))


COPIES: dict[str, tuple[str, Change, str]] = {
    "recompressed": ("jpg", lambda image: image, ""),
    "resized": ("png", _resized, ""),
    "brighter": ("png", lambda image: np.clip(image * 0.7 + 40, 0, 255).astype(np.uint8), ""),
    "gamma": ("png", lambda image: (255 * (image / 255) ** 0.7).astype(np.uint8), ""),
    "16 bit": ("png", lambda image: image.astype(np.uint16) * 201 + 77, ""),
    "inverted": ("png", lambda image: 255 - image, "inverted"),
    "mirrored": ("png", lambda image: image[:, ::-1], "mirrored left-right"),
    "upside down": ("png", lambda image: image[::-1], "mirrored up-down"),
    "rotated": ("png", lambda image: np.rot90(image), "rotated by 90°"),
    "half a turn": ("png", lambda image: np.rot90(image, 2), "rotated by 180°"),
    "transposed": ("png", lambda image: image.T, "transposed"),
    "padded": ("png", lambda image: np.pad(image, ((11, 5), (20, 9))), "moved, scaled or cut"),
    "cut": ("png", lambda image: image[5:-5, 6:-6], "moved, scaled or cut"),
    "turned a little": ("png", _turned_a_little, ""),
    "mirrored and recompressed": ("jpg", lambda image: image[:, ::-1], "mirrored left-right"),
}


def _with_copy(home: Path, rows: list[Row], source: int, suffix: str, pixels: NDArray[np.generic], **cells: str) -> str:
    """Add a copy of a scan as a new sample of another patient."""
    name = f"images/copy{len(rows)}.{suffix}"
    save(home / name, pixels)
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[30:40, 30:45] = 255
    save(home / f"masks/copy{len(rows)}.png", mask)
    rows.append(
        rows[source] | {"file_name": name, "mask": f"masks/copy{len(rows)}.png", "patient": f"new {len(rows)}"} | cells
    )
    return name


def test_every_kind_of_copy_is_found_and_nothing_else(write: Write):
    home, rows = write(60)
    planted = {}
    for k, (suffix, change, _) in enumerate(COPIES.values()):
        name = _with_copy(
            home, rows, k, suffix, change(scan(k)[0]), split="test" if rows[k]["split"] == "train" else "train"
        )
        planted[name] = f"images/{k}.png"
    report = audit(write_table(home, rows))
    (found,) = of(report, "duplicates")
    assert found.severity == "error"
    assert "15 pairs of near-duplicates across parts of the split, 30 images" in found.title
    assert {tuple(sorted(item.samples)) for item in found.items} == {tuple(sorted(pair)) for pair in planted.items()}
    messages = {max(item.samples): item.message for item in found.items}
    for name, (_, _, text) in zip(planted, COPIES.values(), strict=True):
        assert text in messages[max(name, planted[name])]


def test_exact_copies_are_told_from_near_ones_and_parts_from_each_other(write: Write):
    home, rows = write(12)
    _with_copy(home, rows, 0, "bmp", scan(0)[0], split="test")
    _with_copy(home, rows, 1, "png", scan(1)[0], split="train")
    rgb = np.repeat(scan(2)[0][..., None], 3, axis=2)
    _with_copy(home, rows, 2, "png", rgb, split="test")
    report = audit(write_table(home, rows))
    titles = [one.title for one in of(report, "duplicates")]
    assert titles == [
        "2 groups of exact duplicates across parts of the split, 4 images",
        "1 group of exact duplicates within a part of the split, 2 images",
    ]


def test_duplicates_with_two_labels_masks_and_patients(write: Write):
    home, rows = write(12)
    _with_copy(home, rows, 0, "png", scan(0)[0], label="b", split="train")  # another mask too
    _with_copy(home, rows, 1, "jpg", scan(1)[0], label="b", split="train")
    rows[-1]["mask"] = rows[1]["mask"]
    report = audit(write_table(home, rows))
    labels, masks = of(report, "conflicts", "two labels"), of(report, "conflicts", "two masks")
    assert [len(one.items) for one in labels] == [2]
    assert [item.samples for item in masks[0].items] == [("images/0.png", "images/copy12.png")]
    assert [len(one.items) for one in of(report, "conflicts", "two patients")] == [2]
    assert labels[0].items[0].message == "a and b"


def test_two_sets_share_images_in_both_directions(write: Write):
    first, _ = write(12, "one")
    second, rows = write(10, "two", first=40)
    _with_copy(second, rows, 0, "png", scan(3)[0], split="test")
    _with_copy(second, rows, 0, "jpg", scan(4)[0][:, ::-1], split="test")
    _with_copy(second, rows, 0, "png", np.pad(scan(5)[0], 12), split="train")
    write_table(second, rows)
    for a, b, numbers in ((first, second, (3, 3)), (second, first, (3, 3))):
        report = compare(a, b)
        exact, near = of(report, "shared", "equal pixels"), of(report, "shared", "near-duplicates")
        assert [len(one.items) for one in (*exact, *near)] == [1, 2]
        assert exact[0].severity == "error", "a test image of one set is a training image of the other"
        (total,) = of(report, "shared", "are in the other set")
        assert tuple(total.numbers.values()) == numbers
    assert {item.samples + item.others for item in near[0].items} == {
        ("images/copy11.jpg", "images/4.png"),
        ("images/copy12.png", "images/5.png"),
    }
    assert "1 train – test" in of(compare(first, second), "shared", "equal pixels")[0].title
    assert of(compare(first, first), "shared", "equal pixels")[0].numbers["pairs"] == 12


def test_slices_of_one_volume_are_no_near_duplicates(write: Write):
    home, rows = write(12)
    _with_copy(home, rows, 0, "jpg", scan(0)[0], patient="P0", split="train")
    for k, row in enumerate(rows):
        row["volume"] = "same" if row["file_name"] in ("images/0.png", rows[-1]["file_name"]) else f"v{k}"
    assert not of(audit(write_table(home, rows)), "duplicates")


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_turned_image_correlates_with_itself(seed: int, turn: int):
    plane = np.random.default_rng(seed).random((32, 32)).astype(np.float32)
    one, other = descriptor(plane), descriptor(np.asarray(turned(plane, turn), np.float32))
    assert _over_symmetries(one[None], other[None])[0, 0] == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)


def test_the_descriptor_of_a_transposed_image():
    plane = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    np.testing.assert_allclose(descriptor(plane)[TRANSPOSE], descriptor(plane.T.copy()), atol=1e-5)


def test_turns_are_named_as_they_are():
    plane = np.arange(12).reshape(3, 4)
    for turn, expected in ((4, plane[:, ::-1]), (6, plane[::-1]), (7, plane.T), (2, plane[::-1, ::-1])):
        assert np.array_equal(turned(plane, turn), expected), TURNS[turn]


def test_borders_are_measured_on_each_side():
    plane = np.zeros((20, 30), np.float32)
    plane[3:15, 4:25] = np.random.default_rng(0).random((12, 21)) + 0.5
    assert border(plane) == (3, 5, 4, 5)
    assert border(np.ones((5, 6), np.float32)) == (0, 0, 0, 0)


def test_alignment_of_unlike_images_fails():
    one, other = (structure(shrunk(grey(scan(k)[0][None]), 64)) for k in (1, 2))
    assert aligned(one, one) == pytest.approx(1, abs=1e-3)
    assert aligned(one, other) < 0.9
    assert aligned(np.zeros((64, 64), np.float32), one) == -1
