import pytest

from btlib.data import list_slices
from btlib.errors import DataError


def fill(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_order_is_numeric_and_other_files_are_left_out(tmp_path):
    fill(
        tmp_path,
        "10.mat",
        "9.mat",
        "1.mat",
        "100.mat",
        "cvind.mat",
        "README.txt",
        ".7.mat",
        "notes.csv",
        "CVIND.MAT",
        "8.MAT",
        "007.mat",
    )
    assert [path.name for path in list_slices(tmp_path)] == [
        *("1.mat", "007.mat", "8.MAT", "9.mat", "10.mat", "100.mat")
    ]


def test_the_folder_above_data_will_do(tmp_path):
    fill(tmp_path / "data", "2.mat", "1.mat")
    assert (
        list_slices(tmp_path) == list_slices(tmp_path / "data") == [tmp_path / "data" / n for n in ("1.mat", "2.mat")]
    )


def test_one_number_twice(tmp_path):
    fill(tmp_path, "7.mat", "07.mat", "8.mat")
    with pytest.raises(DataError, match=r"slice 7 exists twice, 07\.mat has the same number"):
        list_slices(tmp_path)


def test_every_strange_name_is_listed(tmp_path):
    fill(tmp_path, "1.mat", "copy of 1.mat", "mask.mat")
    with pytest.raises(DataError, match="2 faulty files") as caught:
        list_slices(tmp_path)
    assert "copy of 1.mat" in str(caught.value)
    assert "mask.mat" in str(caught.value)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.touch()])
def test_nothing_to_read_says_how_to_get_slices(tmp_path, make):
    make(tmp_path / "there")
    with pytest.raises(DataError, match="btlib data download"):
        list_slices(tmp_path / "there")


@pytest.mark.parametrize(("count", "last"), [(2, "  copy 02.mat: "), (20, "  copy 20.mat: "), (21, "  … and 1 more")])
def test_twenty_faults_are_listed(tmp_path, count, last):
    fill(tmp_path, *(f"copy {k:02d}.mat" for k in range(1, count + 1)))
    with pytest.raises(DataError) as caught:
        list_slices(tmp_path)
    first, *lines = caught.value.problem.splitlines()
    assert first == f"{count} faulty files"
    assert len(lines) == min(count, 21)
    assert lines[-1].startswith(last)


def test_a_single_fault_is_told_as_it_is(tmp_path):
    fill(tmp_path, "1.mat", "0.mat")
    with pytest.raises(DataError, match=r"0\.mat: expected a file name NUMBER\.mat"):
        list_slices(tmp_path)
