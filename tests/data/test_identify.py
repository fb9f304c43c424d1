"""Whose slices they are, from signatures, areas and codes alone: no file is written here."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from btlib.data.patients import Patients
from btlib.data.sources.figshare import identify as module
from btlib.data.sources.figshare.identify import identify, merged
from btlib.data.sources.figshare.patient_table import PatientTable
from btlib.data.sources.figshare.recognise import is_copy, mask_signature, recognise
from btlib.errors import BtlibWarning, DataError

N = 200
PATIENTS = 1 + np.arange(N) // 2 % 50  # fifty patients in two runs of two slices each
PERSONS = np.where(PATIENTS == 2, 1, PATIENTS)  # patients 1 and 2 are one person
FOLDS = 1 + np.arange(50) * 3 % 5
STRANGE = 99  # the signature of no known slice
HERE = Path("copy")


def table_of(areas: Sequence[int]) -> PatientTable:
    n = len(areas)
    signatures = np.random.default_rng(1).permutation(np.arange(1000, 1000 + n)).astype(np.uint64)
    signatures[0] = 2**64 - 2  # no signed number
    labels = PATIENTS[:n] % 3
    return PatientTable(PATIENTS[:n], PERSONS[:n], FOLDS, labels, signatures, np.array(areas), "a test", "none")


TABLE = table_of([500] * N)


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "figshare_patients", lambda: TABLE)


def who(
    at: Sequence[int] | np.ndarray = range(N),
    codes: Callable[[int], str | None] = lambda i: None,
    strangers: Sequence[int] = (),
    first: int = 1,
) -> Patients:
    """The patients of files numbered from `first` that hold the slices `at` of the table, but for strangers."""
    signatures = TABLE.signatures[np.array(at)].copy()
    signatures[list(strangers)] = STRANGE
    n = len(signatures)
    return identify(np.arange(first, first + n), [codes(i) for i in range(n)], signatures, np.full(n, 10**6), HERE)


def as_text(values: np.ndarray) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


@pytest.mark.parametrize(
    "codes",
    [
        lambda i: None,
        lambda i: f"C{PATIENTS[i]:03d}",
        lambda i: f"X{PERSONS[i]}",
        lambda i: f"C{PATIENTS[i]}" if i % 3 else None,
        lambda i: f"{i // 2 % 50}B",  # what they say does not matter
    ],
    ids=["none", "patients", "persons", "some", "of other text"],
)
def test_known_slices_have_the_tables_persons_and_folds_whatever_their_codes(codes: Callable[[int], str | None]):
    found = who(codes=codes)
    assert (found.ids, found.source) == (as_text(PERSONS), "table")
    assert found.folds == {str(person): int(FOLDS[person - 1]) for person in range(1, 51)}


def test_numbers_and_order_do_not_matter():
    order = np.random.default_rng(2).permutation(N)
    assert who(order, first=7000).ids == as_text(PERSONS[order])


@pytest.mark.parametrize(
    ("codes", "problem"),
    [
        (lambda i: "one", "slices 11 and 13 belong to different patients, but have the same code 'one'"),
        (lambda i: f"C{i}", "slices 11 and 12 belong to one patient, but have the codes 'C0' and 'C1'"),
        (lambda i: f"C{PATIENTS[i] if i != 150 else 1}", "slices 11 and 161 belong to different patients"),
        (lambda i: {0: "a", 3: "b"}.get(i % 100), None),
        (
            lambda i: {4: "a", 5: "a", 6: "a"}.get(i),
            "slices 15 and 17 belong to different patients, but have the same code 'a'",
        ),
        (lambda i: {0: "a", 4: "b", 5: "c"}.get(i), "slices 15 and 16 belong to one patient"),
        # patients 1 and 2 apart, which the table's persons are not, and yet two others together
        (
            lambda i: {0: "a", 2: "b", 4: "c", 6: "c"}.get(i),
            "slices 15 and 17 belong to different patients, but have the same code 'c'",
        ),
    ],
)
def test_codes_divide_the_slices_as_patients_or_as_persons_or_not_at_all(
    codes: Callable[[int], str | None], problem: str | None
):
    if problem is None:
        assert who(codes=codes, first=11).ids == as_text(PERSONS)
        return
    with pytest.raises(DataError, match=problem) as caught:
        who(codes=codes, first=11)
    assert caught.value.where == "copy"


@pytest.mark.parametrize("strangers", [[0, 199], [3, 4]])
def test_one_file_in_a_hundred_may_be_a_stranger(strangers: list[int]):
    numbers = ", ".join(str(i + 11) for i in strangers)
    expected = [None if i in strangers else name for i, name in enumerate(as_text(PERSONS))]
    with pytest.warns(BtlibWarning, match=rf"^copy: 198 of 200 slices are known\. The following.* {numbers}\. The"):
        found = who(strangers=strangers, first=11)
    assert (list(found.ids), found.source) == (expected, "table")


def test_twenty_strangers_are_named():
    strangers = range(0, 2200, 100)
    named = ", ".join(str(i + 1) for i in strangers[:20])
    with pytest.warns(BtlibWarning, match=rf"2178 of 2200 slices are known\. .* {named}\. The patients"):
        who(np.resize(np.arange(N), 2200), strangers=strangers)


def test_a_stranger_with_a_code_is_who_shares_it():
    """A known person, or else someone of a name of their own, which is no number of the table."""

    def codes(i: int) -> str:
        return {8: "C2", 7: "7B"}.get(i, f"C{PATIENTS[i]}")

    found = who(codes=codes, strangers=[8, 7])
    expected = list(as_text(PERSONS))
    expected[8], expected[7] = "1", "code 7"
    assert list(found.ids) == expected


@pytest.mark.parametrize(("strangers", "warned"), [(3, True), (99, True), (100, False), (200, False)])
def test_with_more_strangers_codes_count(strangers: int, warned: bool):
    """A share above one half that is no copy is no coincidence, which is said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = who(codes=lambda i: f"MR{i}B" if i % 2 else None, strangers=range(strangers))
    assert found.ids == tuple(f"MR{i}" if i % 2 else None for i in range(N))
    assert (found.source, found.folds) == ("files", None)
    told = [str(one.message) for one in caught]
    share = f"{(N - strangers) / N:.1%}"
    assert [text.startswith(f"copy: {share} of the slices have masks of the Figshare data set") for text in told] == (
        [True] if warned else []
    )


def test_without_codes_strangers_are_nobody():
    found = who(strangers=range(N))
    assert (found.ids, found.source, found.folds) == ((None,) * N, None, None)


@pytest.mark.parametrize(
    ("code", "person"),
    [("MR040240B", "MR040240"), ("100360c", "100360"), ("12AB", "12AB"), ("B", "B"), ("a-1b", "a-1b"), ("1", "1")],
)
def test_a_letter_behind_a_number_marks_a_repeat_scan(code: str, person: str):
    assert merged(code) == person


SMALL = table_of([1000, 40, *[500] * 28])


def by_area(areas: Sequence[int], numbers: Sequence[int] = range(1, 31), known: int = 0) -> list[int]:
    """Numbers in the table of files with these areas, the first few of which are known by signature too."""
    signatures = np.full(len(areas), STRANGE, np.uint64)
    signatures[:known] = SMALL.signatures[:known]
    return recognise(np.array(numbers), signatures, np.array(areas), SMALL).tolist()


ALL, NONE = list(range(1, 31)), [0] * 30


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (1000, 40, ALL),
        (850, 40, ALL),
        (1150, 40, ALL),
        (849, 40, NONE),
        (1151, 40, NONE),
        (1000, 28, ALL),
        (1000, 52, ALL),
        (1000, 27, NONE),
        (1000, 53, NONE),
    ],
)
def test_areas_may_differ_by_fifteen_percent_or_twelve_pixels(first: int, second: int, expected: list[int]):
    """One of thirty that does not fit is more than one in a hundred."""
    assert by_area([first, second, *[500] * 28]) == expected


def test_areas_are_compared_under_the_data_sets_own_numbers():
    areas = SMALL.areas.tolist()
    assert by_area(areas, range(2, 32)) == by_area(areas, range(30)) == by_area(areas, range(-29, 1)) == NONE
    turned = [30, *range(2, 30), 1]
    assert by_area([areas[number - 1] for number in turned], turned) == turned
    assert by_area(areas, turned) == NONE


def test_fewer_than_thirty_files_are_not_told_by_areas():
    assert by_area(SMALL.areas.tolist()[:29], range(1, 30)) == [0] * 29


def test_signatures_decide_where_they_know_more_than_half():
    areas = SMALL.areas.tolist()
    assert by_area(areas, known=15) == ALL
    assert by_area(areas, known=16) == [*range(1, 17), *[0] * 14]


def test_a_signature_is_found_under_any_number():
    at = np.array([17, 0, 3, 3])
    signatures = TABLE.signatures[at]
    assert recognise(np.array([900, -1, 1, 2]), signatures, np.zeros(4, np.int64), TABLE).tolist() == [18, 1, 4, 4]
    edges = np.array([0, 2**64 - 1, 2**64 - 2], np.uint64)
    assert recognise(np.array([1, 2, 3]), edges, np.zeros(3, np.int64), TABLE).tolist() == [0, 0, 1]


@pytest.mark.parametrize(("known", "n", "copy"), [(99, 100, True), (98, 100, False), (3, 3, True), (2, 3, False)])
def test_a_copy_is_known_to_one_in_a_hundred(known: int, n: int, copy: bool):
    assert is_copy(np.array([5] * known + [0] * (n - known))) is copy


def mask() -> np.ndarray:
    found = np.zeros((256, 256), bool)
    found[20:90, 60:100] = True
    found[20:40, 60:70] = False
    return found


def test_the_signature_of_a_mask_stays_for_ever():
    """Those of the data set are part of btlib."""
    assert mask_signature(mask()) == GOLDEN
    wide = np.zeros((37, 52), bool)
    wide[5:20, 30:37] = True
    assert mask_signature(wide) == GOLDEN_WIDE


GOLDEN, GOLDEN_WIDE = (17448291385754341406, 2600), (11710540770551694795, 3435)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.T,
        lambda m: m[:, ::-1],
        lambda m: m[::-1],
        lambda m: np.rot90(m),
        lambda m: np.rot90(m, 2),
        lambda m: m.repeat(2, axis=0).repeat(2, axis=1),
    ],
)
def test_a_turned_mirrored_or_larger_mask_has_the_same_signature(change: Callable[[np.ndarray], np.ndarray]):
    assert mask_signature(change(mask())) == mask_signature(mask())


def test_another_mask_has_another_signature():
    moved, grown = np.roll(mask(), 1, axis=1), mask()
    grown[0, 0] = True
    assert len({mask_signature(one)[0] for one in (mask(), moved, np.roll(mask(), 1, axis=0), grown)}) == 4


@pytest.mark.parametrize("size", [128, 224, 320])
def test_masks_resized_by_another_rule_are_known_by_their_areas(size: int):
    """As copies do that are told by no signature."""
    rng, masks = np.random.default_rng(0), []
    for _ in range(30):
        one = np.zeros((256, 256), bool)
        top, left, height, width = (int(v) for v in (*rng.integers(5, 150, 2), *rng.integers(20, 100, 2)))
        one[top : top + height, left : left + width] = True
        masks.append(one)
    known, areas = zip(*map(mask_signature, masks), strict=True)
    table = replace(table_of([1] * 30), signatures=np.array(known, np.uint64), areas=np.array(areas))
    other = [cv2.resize(one.astype(np.uint8), (size, size)) > 0 for one in masks]
    signatures, sizes = zip(*map(mask_signature, other), strict=True)
    found = recognise(np.arange(1, 31), np.array(signatures, np.uint64), np.array(sizes), table)
    assert found.tolist() == ALL
