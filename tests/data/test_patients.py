"""Who is who: the table that is part of btlib, copies recognised by their masks, codes that agree with it or do not."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from btlib import fingerprint
from btlib.data import load_dataset, patient_table, patients, write_slice
from btlib.data.patient_table import PatientTable, figshare_patients
from btlib.data.patients import merged
from btlib.data.preprocess import prepare_image, prepare_mask
from btlib.data.recognise import is_copy, mask_signature, recognise
from btlib.data.scan import scan
from btlib.errors import BtlibWarning, DataError
from btlib.runs.execute import patient_facts
from btlib.splits import make_split

N = 200
PATIENTS = 1 + np.arange(N) // 2 % 50  # fifty patients in two runs of two slices each
PERSONS = np.where(PATIENTS == 2, 1, PATIENTS)  # patients 1 and 2 are one person


def masks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(N):
        mask = np.zeros((256, 256), bool)
        top, left, height, width = rng.integers(5, 150, 2).tolist() + rng.integers(20, 100, 2).tolist()
        mask[top : top + height, left : left + width] = True
        mask[top : top + height // 2, left : left + width // 3] = False
        found.append(mask)
    return found


MASKS = masks()


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> PatientTable:
    """A table of the slices that these tests write, in place of the real one."""
    signatures, areas = zip(*map(mask_signature, MASKS), strict=True)
    known = PatientTable(
        patients=PATIENTS,
        persons=PERSONS,
        folds=1 + np.arange(50) % 5,
        signatures=np.array(signatures, np.uint64),
        areas=np.array(areas, np.int64),
        source="a test",
        licence="none",
    )
    monkeypatch.setattr(patients, "figshare_patients", lambda: known)
    return known


@pytest.fixture
def copy(tmp_path: Path) -> Callable[..., Path]:
    """Write the slices as a copy does: under what numbers, with what codes, masks and images it likes."""

    def make(
        name: str = "copy", numbers=range(1, N + 1), code=lambda i: None, mask=lambda m: m, dtype=np.uint8
    ) -> Path:
        home = tmp_path / name
        home.mkdir()
        for i, number in enumerate(numbers):
            shown = mask(MASKS[i])
            image = (np.arange(shown.size).reshape(shown.shape) % 200).astype(dtype)
            write_slice(home / f"{number}.mat", image, shown, i % 3, patient=code(i))
        return home

    return make


def persons(of: Path) -> list[str | None]:
    return list(load_dataset(of, 16).patients)


def as_text(values: np.ndarray) -> list[str]:
    return [str(value) for value in values]


def test_a_copy_without_codes_has_the_tables_persons(copy: Callable[..., Path]):
    dataset = load_dataset(copy(), 16)
    assert list(dataset.patients) == as_text(PERSONS)
    assert dataset.patient_source == "table"
    facts = patient_facts(dataset, make_split("slice-seed42", dataset))
    assert facts is not None
    assert (facts.source, facts.seen) == ("table", 40)


def test_a_copy_is_recognised_under_other_numbers_turned_mirrored_and_larger(copy: Callable[..., Path]):
    order = np.random.default_rng(1).permutation(N)
    shuffled = copy("shuffled", [int(order[i]) * 7 + 3 for i in range(N)])
    dataset = load_dataset(shuffled, 16)
    person_of = {int(order[i]) * 7 + 3: str(PERSONS[i]) for i in range(N)}
    assert list(dataset.patients) == [person_of[number] for number in dataset.numbers.tolist()]
    for name, change in {
        "transposed": lambda m: m.T,
        "mirrored": lambda m: m[:, ::-1],
        "turned": lambda m: np.rot90(m),
        "large": lambda m: m.repeat(2, axis=0).repeat(2, axis=1),
    }.items():
        assert persons(copy(name, mask=change)) == as_text(PERSONS), name


@pytest.mark.filterwarnings("ignore:.*patients of this folder are incomplete:btlib.errors.BtlibWarning")
def test_masks_resized_by_another_rule_are_known_by_their_areas_under_the_own_numbers(copy: Callable[..., Path]):
    def grown(mask: np.ndarray) -> np.ndarray:
        """One pixel more, so that no signature is right."""
        changed = mask.copy()
        changed[0, 0] = True
        return changed

    assert persons(copy("grown", mask=grown)) == as_text(PERSONS)
    for size in (128, 224, 320):
        small = copy(f"at{size}", mask=lambda m, size=size: cv2.resize(m.astype(np.uint8), (size, size)) > 0)
        pairs = zip(persons(small), as_text(PERSONS), strict=True)
        assert [found for found, wanted in pairs if found != wanted] in ([], [None], [None, None]), size
    assert persons(copy("elsewhere", numbers=range(1001, 1001 + N), mask=grown)) == [None] * N


@pytest.mark.parametrize(("strangers", "known"), [(2, True), (3, False)])
def test_one_file_in_a_hundred_may_be_a_stranger(copy: Callable[..., Path], strangers: int, known: bool):
    """It has no patient then, which is said; with more strangers the folder is no copy at all."""
    home = copy()
    for number in range(1, strangers + 1):
        write_slice(home / f"{number}.mat", np.ones((9, 9), np.uint8), np.eye(9, dtype=bool), 0)
    if known:
        with pytest.warns(BtlibWarning, match=r"198 of 200 slices are known; not these.* 1, 2\. So the patients"):
            assert persons(home) == [None, None, *as_text(PERSONS[2:])]
    else:
        with pytest.warns(BtlibWarning, match=r"98\.5% of the slices are those of the Figshare.* less than 99%"):
            assert persons(home) == [None] * N


def test_a_stranger_with_a_code_is_who_shares_it(copy: Callable[..., Path]):
    home = copy(code=lambda i: f"C{PATIENTS[i]}")
    write_slice(home / "5.mat", np.ones((9, 9), np.uint8), np.eye(9, dtype=bool), 0, patient="C3")
    write_slice(home / "7.mat", np.ones((9, 9), np.uint8), np.eye(9, dtype=bool), 0, patient="7B")
    found = persons(home)
    assert (found[4], found[6]) == ("3", "code 7"), "a name of their own, which is no number of the table"
    assert found[7] == "4"


def test_codes_change_neither_patients_nor_folds_nor_fingerprints(copy: Callable[..., Path]):
    """With the codes of the patients, of the persons, on some files only, and without: the same data."""
    codes = {
        "none": lambda i: None,
        "patients": lambda i: f"C{PATIENTS[i]:03d}",
        "persons": lambda i: f"X{PERSONS[i]}",
        "some": lambda i: f"C{PATIENTS[i]}" if i % 3 else None,
    }
    found = [load_dataset(copy(name, code=code), 16) for name, code in codes.items()]
    for dataset in found[1:]:
        assert dataset.patients == found[0].patients
        assert dataset.fingerprint == found[0].fingerprint
        assert (dataset.truth_fingerprint, dataset.input_fingerprint) == (
            found[0].truth_fingerprint,
            found[0].input_fingerprint,
        )
        for k in range(1, 6):
            ours, theirs = (make_split(f"patient-5fold-{k}", d) for d in (dataset, found[0]))
            assert ours.fingerprint == theirs.fingerprint
    fold_of = {str(p): 1 + (p - 1) % 5 for p in range(1, 51)}
    test = make_split("patient-5fold-2", found[0]).test
    assert {fold_of[str(found[0].patients[i])] for i in test} == {2}, "the folds of the table, not ones made anew"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (lambda i: "one", "patient code 'one' is on slices 11 and 13, which are of two patients"),
        (lambda i: f"C{i}", "slices 11 and 12 are of one patient, and have the codes 'C0' and 'C1'"),
        (lambda i: f"C{PATIENTS[i] if i != 150 else 1}", "which are of two patients"),
    ],
)
def test_codes_that_divide_the_slices_otherwise_are_an_error(copy: Callable[..., Path], code, problem: str):
    home = copy(numbers=range(11, N + 11), code=code)
    for _ in range(2):  # made, and from the cache
        with pytest.raises(DataError, match=problem):
            load_dataset(home, 16)
    report = scan(home)
    assert not report.sound
    assert problem in str(report.faults[0])


def test_another_rendering_has_the_same_truth_and_other_inputs(copy: Callable[..., Path]):
    plain, deep = load_dataset(copy("8"), 16), load_dataset(copy("16", dtype=np.int16), 16)
    assert plain.truth_fingerprint == deep.truth_fingerprint
    assert plain.input_fingerprint != deep.input_fingerprint
    assert plain.fingerprint != deep.fingerprint
    other = load_dataset(copy("other", mask=lambda m: np.roll(m, 9)), 16)
    assert other.truth_fingerprint != plain.truth_fingerprint


def test_originals_have_the_truth_of_their_copy_at_256_pixels_and_another_at_128(tmp_path: Path):
    """What decides which protocols can be judged on the original files: 512 px are halved to the copy's very masks."""
    rng = np.random.default_rng(3)
    for name in ("original", "copy"):
        (tmp_path / name).mkdir()
    for number in range(1, 9):
        mask = np.zeros((512, 512), bool)
        top, left, height, width = (int(v) for v in (*rng.integers(100, 200, 2), *rng.integers(40, 120, 2)))
        mask[top : top + height, left : left + width] = rng.random((height, width)) < 0.7
        image = rng.integers(0, 3000, (512, 512)).astype(np.int16)
        write_slice(tmp_path / "original" / f"{number}.mat", image, mask, 0)
        small = prepare_image(image, 256, "percentile")
        write_slice(tmp_path / "copy" / f"{number}.mat", (255 * small).astype(np.uint8), prepare_mask(mask, 256), 0)
    for size, alike in ((256, True), (128, False)):
        original, copy = (load_dataset(tmp_path / name, size) for name in ("original", "copy"))
        assert (original.truth_fingerprint == copy.truth_fingerprint) == alike
        assert original.input_fingerprint != copy.input_fingerprint


def test_phantoms_are_never_taken_for_known_slices(tmp_path: Path):
    for i in range(4):
        write_slice(tmp_path / f"{i + 1}.mat", np.ones((256, 256)), MASKS[i], 0, patient=f"PH{i}A", origin="phantom")
    assert persons(tmp_path) == [f"PH{i}A" for i in range(4)]


def test_suffixed_codes_of_unknown_slices_are_one_person(tmp_path: Path):
    codes = ["MR040240", "MR040240B", "MR040240D", "100360", "100360C", "12AB", "B", "name-a", "name-b"]
    for i, code in enumerate(codes):
        mask = np.zeros((20, 30), bool)
        mask[i : i + 5, 3:9] = True
        write_slice(tmp_path / f"{i + 1}.mat", np.ones((20, 30)), mask, 0, patient=code)
    dataset = load_dataset(tmp_path, 16)
    expected = [*["MR040240"] * 3, "100360", "100360", "12AB", "B", "name-a", "name-b"]
    assert list(dataset.patients) == expected == list(map(merged, codes))
    assert dataset.patient_source == "files"


def test_scan_names_the_tables_persons(copy: Callable[..., Path]):
    report = scan(copy())
    assert report.sound
    assert report.patients["1"] == 8
    assert len(report.patients) == 49
    assert any("their patients are those of btlib's table" in note for note in report.notes)


def test_recognise_gives_the_number_in_the_table(table: PatientTable):
    at = np.array([17, 3, 3])
    found = recognise(np.array([900, 901, 902]), table.signatures[at], table.areas[at], table)
    assert found.tolist() == [18, 4, 4]
    assert is_copy(found)
    strange = recognise(np.array([1]), np.array([12345], np.uint64), np.array([10**6]), table)
    assert strange.tolist() == [0]
    assert not is_copy(strange)


class TestTheRealTable:
    """`figshare_patients.json`, against what the data set's paper and the issue of the split say."""

    def test_counts(self):
        known = figshare_patients()
        assert len(known.patients) == len(known.persons) == len(known.signatures) == len(known.areas) == 3064
        assert len(set(known.signatures.tolist())) == 3064
        assert sorted(set(known.patients.tolist())) == list(range(1, 234))
        assert sorted(set(known.persons.tolist())) == list(range(1, 210))
        per_patient = np.bincount(known.patients)[1:]
        assert (per_patient.min(), per_patient.max(), np.median(per_patient)) == (1, 38, 13)
        merged_into = {}
        for patient, person in zip(known.patients.tolist(), known.persons.tolist(), strict=True):
            assert merged_into.setdefault(patient, person) == person
        several = [k for k in np.bincount(list(merged_into.values())) if k > 1]
        assert (len(several), sum(several) - len(several)) == (18, 24)
        assert np.flatnonzero(known.patients == 1).tolist() == [*range(5), *range(210, 217), *range(441, 447)]

    def test_the_thesis_split_tests_known_patients(self):
        persons = figshare_patients().persons
        from btlib.splits import slice_seed42

        split = slice_seed42(3064)
        assert int(np.isin(persons[split.test], persons[split.train]).sum()) == 611

    def test_a_damaged_table_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        source = Path(patient_table.__file__).with_name("figshare_patients.json")
        value = json.loads(source.read_text())
        value["persons"][5] += 1
        damaged = tmp_path / "figshare_patients.json"
        monkeypatch.setattr(patient_table.resources, "files", lambda _: tmp_path)
        figshare_patients.cache_clear()
        try:
            for text, problem in ((json.dumps(value), "digest"), ("{", "cannot be read"), ("[]", "cannot be read")):
                damaged.write_text(text)
                with pytest.raises(DataError, match=problem):
                    figshare_patients()
        finally:
            figshare_patients.cache_clear()
        assert value.pop("digest") != fingerprint.of(value)


def test_an_image_that_differs_by_dtype_alone_is_another_input(copy: Callable[..., Path]):
    home = copy()
    before = load_dataset(home, 16)
    with h5py.File(home / "1.mat", "r+") as file:
        image = file["cjdata/image"][()]
        del file["cjdata/image"]
        file["cjdata"].create_dataset("image", data=image.astype(np.int32))
    after = load_dataset(home, 16)
    assert after.truth_fingerprint == before.truth_fingerprint
    assert after.input_fingerprint != before.input_fingerprint
