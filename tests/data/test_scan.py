import shutil

import pytest

from btlib.data.patients import Patients
from btlib.data.sources.figshare.scan import scan
from btlib.errors import DataError


def test_counts(folder, make_slice):
    make_slice(folder / "20.mat", label=1)
    report = scan(folder)
    assert report.n == 7
    assert report.classes == {"meningioma": 2, "glioma": 3, "pituitary": 2}
    assert report.patients == {**{f"P{k:02d}": 1 for k in range(6)}, None: 1}
    assert report.sizes == {(37, 52): 7}
    assert report.origins == {"figshare": 7}
    assert report.sound


def test_every_fault_is_there(folder):
    (folder / "2.mat").write_bytes(b"nothing")
    (folder / "7.mat").unlink()
    (folder / "strange.mat").touch()
    (folder / "03.mat").write_bytes((folder / "3.mat").read_bytes())
    report = scan(folder.parent, expect=10)
    assert not report.sound
    assert report.n == 4
    said = sorted((fault.where.rsplit("/", 1)[1], fault.problem.split(",")[0]) for fault in report.faults)
    assert [name for name, _ in said] == [
        *("11.mat", "2.mat", "3.mat", "4.mat", "5.mat", "6.mat", "7.mat", "8.mat", "9.mat", "strange.mat")
    ]
    assert dict(said)["11.mat"] == "expected slices 1 to 10 only"
    assert dict(said)["4.mat"] == "is missing"
    assert all(fault.hint for fault in report.faults)


def test_gaps_are_a_note_unless_a_number_is_expected(folder):
    report = scan(folder)
    assert report.sound
    assert report.notes == ("5 numbers between 1 and 11 are missing: 4, 5, 6, 8, 9",)
    assert not scan(folder, expect=11).sound
    assert scan(folder, expect=11).notes == ()


def test_patients_of_two_types_are_noted_together(folder, make_slice):
    for number in range(12, 24):
        make_slice(folder / f"{number}.mat", label=number % 3, seed=number, patient="P00")
    assert scan(folder).notes[1:] == ("1 of 6 patients have slices of more than one tumour type: P00",)
    for number in range(30, 70):
        make_slice(folder / f"{number}.mat", label=number % 2, seed=number, patient=f"Q{number // 2}")
    names = "P00, Q15, Q16, Q17, Q18, Q19, Q20, Q21, Q22, Q23 …"
    assert scan(folder).notes[1:] == (f"21 of 26 patients have slices of more than one tumour type: {names}",)


def test_phantoms_among_real_slices_are_a_fault(folder, make_slice):
    make_slice(folder / "12.mat", origin="phantom")
    assert [fault.problem for fault in scan(folder).faults] == ["1 of 7 slices are phantoms"]


def test_an_empty_folder_is_a_fault_and_none_an_error(tmp_path):
    assert [fault.problem for fault in scan(tmp_path).faults] == ["no slices (1.mat, 2.mat …)"]
    assert [fault.problem for fault in scan(tmp_path, expect=0).faults] == ["no slices (1.mat, 2.mat …)"]
    assert len(scan(tmp_path, expect=3).faults) == 3
    with pytest.raises(DataError, match="found nothing"):
        scan(tmp_path / "nowhere")


def test_phantoms_alone_are_no_fault_and_their_codes_are_taken_as_they_are(tmp_path, make_slice):
    for number, code in enumerate(("P1A", "P1B", None), start=1):
        make_slice(tmp_path / f"{number}.mat", origin="phantom", patient=code)
    report = scan(tmp_path)
    assert (report.sound, report.origins) == (True, {"phantom": 3})
    assert report.patients == {"P1A": 1, "P1B": 1, None: 1}


def test_slices_without_a_patient_are_nobody_of_two_types(tmp_path, make_slice):
    for number in range(1, 5):
        make_slice(tmp_path / f"{number}.mat", label=number % 3, seed=number)
    report = scan(tmp_path)
    assert (report.notes, report.patients) == ((), {None: 4})


@pytest.mark.parametrize(
    ("missing", "shown"), [(10, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"), (11, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 …")]
)
def test_ten_of_a_kind_are_named(tmp_path, make_slice, missing, shown):
    make_slice(tmp_path / f"{missing + 1}.mat")
    expected = f"{missing} numbers between 1 and {missing + 1} are missing: {shown}"
    assert scan(tmp_path).notes == (expected,)


def test_a_patient_of_three_types_is_one_patient(tmp_path, make_slice):
    for number in range(1, 6):
        make_slice(
            tmp_path / f"{number}.mat", label=number % 3, seed=number, patient="P" if number < 4 else f"Q{number}"
        )
    assert scan(tmp_path).notes == ("1 of 3 patients have slices of more than one tumour type: P",)


@pytest.mark.parametrize(("last", "more"), [("2", ""), (None, ", except for 1 unknown slices without a patient code")])
def test_patients_of_the_table_are_noted(folder, monkeypatch, last, more):
    ids = ("1", "1", "1", "2", "2", last)
    monkeypatch.setattr("btlib.data.sources.figshare.scan.identify", lambda *args: Patients(ids, "table"))
    report = scan(folder)
    assert report.patients == {"1": 3, "2": 2, last: 3 if last else 1} | ({"2": 3} if last else {})
    assert report.notes[1] == (
        "the masks are those of the Figshare data set, so the patients are taken from btlib's patient table" + more
    )


def test_codes_that_contradict_what_is_known_are_a_fault(folder, monkeypatch):
    def clash(numbers, codes, *rest):
        raise DataError(f"{codes[0]} is two", where=folder, hint="get them again")

    monkeypatch.setattr("btlib.data.sources.figshare.scan.identify", clash)
    report = scan(folder)
    assert [fault.problem for fault in report.faults] == ["P00 is two"]
    assert report.patients == {f"P{k:02d}": 1 for k in range(6)}
    assert report.notes == ("5 numbers between 1 and 11 are missing: 4, 5, 6, 8, 9",)


def test_a_number_far_beyond_the_others_costs_nothing(tmp_path, make_slice):
    """Gaps are counted, not listed: this one would take more memory than there is."""
    make_slice(tmp_path / "2.mat")
    make_slice(tmp_path / "987654321987654321.mat")
    (note,) = scan(tmp_path).notes
    assert note.startswith("987654321987654319 numbers between 1 and 987654321987654321 are missing: 1, 3, 4, 5, ")


@pytest.mark.parametrize("name", ["9223372036854775808.mat", "1" * 19 + ".mat", "1" * 200 + ".mat", "000.mat"])
def test_a_number_that_no_table_holds_is_a_misnamed_file(tmp_path, make_slice, name):
    make_slice(tmp_path / "1.mat")
    shutil.copy(tmp_path / "1.mat", tmp_path / name)
    (fault,) = scan(tmp_path).faults
    assert "at most 18 digits" in fault.problem
