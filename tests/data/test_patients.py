"""Who is who: the table that is part of btlib, copies recognised by their masks, codes that agree with it or do not."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from btlib import fingerprint
from btlib.data import load_dataset, write_slice
from btlib.data.preprocess import prepare_image, prepare_mask
from btlib.data.sources.figshare import identify, patient_table
from btlib.data.sources.figshare.identify import merged
from btlib.data.sources.figshare.patient_table import PatientTable, figshare_patients
from btlib.data.sources.figshare.recognise import mask_signature
from btlib.data.sources.figshare.scan import scan
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
        labels=np.arange(len(PATIENTS)) % 3,
        signatures=np.array(signatures, np.uint64),
        areas=np.array(areas, np.int64),
        source="a test",
        licence="none",
    )
    monkeypatch.setattr(identify, "figshare_patients", lambda: known)
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


def test_a_copy_is_recognised_under_other_numbers_and_turned(copy: Callable[..., Path]):
    order = np.random.default_rng(1).permutation(30)
    home = copy(numbers=[int(order[i]) * 7 + 3 for i in range(30)], mask=np.rot90)
    dataset = load_dataset(home, 16)
    person_of = {int(order[i]) * 7 + 3: str(PERSONS[i]) for i in range(30)}
    assert list(dataset.patients) == [person_of[int(name)] for name in dataset.ids.tolist()]


def test_a_stranger_has_no_patient_which_is_said_at_every_start(copy: Callable[..., Path]):
    home = copy(numbers=range(1, 101))
    write_slice(home / "1.mat", np.ones((9, 9), np.uint8), np.eye(9, dtype=bool), 0)
    for _ in range(2):  # made, and from the cache
        with pytest.warns(BtlibWarning, match=r"99 of 100 slices are known. The following.* 1\. The patients"):
            assert persons(home) == [None, *as_text(PERSONS[1:100])]


def test_codes_change_neither_patients_nor_folds_nor_fingerprints(copy: Callable[..., Path]):
    """With codes and without: the same data, in the folds of the table and not in ones made anew."""
    codes = {"none": lambda i: None, "patients": lambda i: f"C{PATIENTS[i]:03d}"}
    plain, coded = (load_dataset(copy(name, range(1, 101), code), 16) for name, code in codes.items())
    assert coded.patients == plain.patients
    assert coded.truth_fingerprint == plain.truth_fingerprint
    assert coded.input_fingerprint == plain.input_fingerprint
    fold_of = {str(p): 1 + (p - 1) % 5 for p in range(1, 51)}
    for k in range(1, 6):
        ours, theirs = (make_split(f"patient-5fold-{k}", d) for d in (coded, plain))
        assert ours.fingerprint == theirs.fingerprint
        assert {fold_of[str(plain.patients[i])] for i in ours.test} == {k}


def test_codes_that_divide_the_slices_otherwise_are_an_error(copy: Callable[..., Path]):
    home = copy(numbers=range(11, 41), code=lambda i: f"C{i}")
    problem = "slices 11 and 12 belong to one patient, but have the codes 'C0' and 'C1'"
    for _ in range(2):  # made, and from the cache
        with pytest.raises(DataError, match=problem):
            load_dataset(home, 16)
    report = scan(home)
    assert [problem in str(fault) for fault in report.faults] == [True]
    assert report.patients == {f"C{i}": 1 for i in range(30)}


def test_another_rendering_has_the_same_truth_and_other_inputs(copy: Callable[..., Path]):
    plain, deep = (load_dataset(copy(str(dtype), range(1, 31), dtype=dtype), 16) for dtype in (np.uint8, np.int16))
    assert plain.truth_fingerprint == deep.truth_fingerprint
    assert plain.input_fingerprint != deep.input_fingerprint
    assert plain.fingerprint != deep.fingerprint


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
    report = scan(copy(numbers=range(1, 31)))
    assert report.sound
    assert report.patients == {"1": 4, **{str(person): 2 for person in range(3, 16)}}
    assert any("the patients are taken from btlib's patient table" in note for note in report.notes)


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

    def test_it_stays_as_it_is(self):
        """Splits and baselines rest on it; its numbers are stored in an order of bytes of their own."""
        known = figshare_patients()
        columns = [getattr(known, name).tolist() for name in ("patients", "persons", "folds", "signatures", "areas")]
        assert fingerprint.of(columns) == "a1f93d4dd4da1419"

    def test_a_damaged_table_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        source = Path(patient_table.__file__).with_name("figshare_patients.json")
        value = json.loads(source.read_text())
        value["persons"][5] += 1
        damaged = tmp_path / "figshare_patients.json"
        monkeypatch.setattr(patient_table.resources, "files", lambda _: tmp_path)
        figshare_patients.cache_clear()
        try:
            newer = json.loads(source.read_text()) | {"schema": "btlib-patients/2"}
            del newer["digest"]
            newer |= {"digest": fingerprint.of(newer)}
            for text, problem in (
                (json.dumps(value), "digest"),
                (json.dumps(newer), "digest"),
                ("{", "cannot be read"),
                ("[]", "cannot be read"),
                ("{}", "cannot be read"),
            ):
                damaged.write_text(text)
                with pytest.raises(DataError, match=problem):
                    figshare_patients()
        finally:
            figshare_patients.cache_clear()
        assert value.pop("digest") != fingerprint.of(value)
