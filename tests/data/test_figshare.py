import fcntl

import h5py
import numpy as np
import pytest

from btlib.data import read_slice, write_slice
from btlib.errors import DataError

PIXELS = np.arange(6, dtype=np.int16).reshape(2, 3) * 1000


def change(path, name, data=None, **attributes):
    """Replace one dataset of a slice file, or remove it."""
    with h5py.File(path, "r+") as file:
        del file["cjdata"][name]
        if data is not None:
            file["cjdata"].create_dataset(name, data=data)


def test_written_slice_is_read_back_as_it_was(tmp_path):
    mask = np.array([[0, 1, 1], [0, 0, 1]], bool)
    write_slice(tmp_path / "12.mat", PIXELS, mask, 2, patient="MR040240B", origin="phantom")
    s = read_slice(tmp_path / "12.mat")
    assert (s.number, s.label, s.patient, s.origin) == (12, 2, "MR040240B", "phantom")
    assert s.image.dtype == np.int16
    assert s.image.tolist() == PIXELS.tolist()
    assert s.mask.dtype == bool
    assert s.mask.tolist() == mask.tolist()


def test_a_square_slice_is_not_turned(tmp_path):
    """Real slices are square: there a transposition changes no shape."""
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 3000, (9, 9)).astype(np.int16), rng.random((9, 9)) > 0.6
    write_slice(tmp_path / "1.mat", image, mask, 0)
    s = read_slice(tmp_path / "1.mat")
    assert s.image.tolist() == image.tolist() != image.T.tolist()
    assert s.mask.tolist() == mask.tolist() != mask.T.tolist()


def test_layout_is_that_of_the_dataset(tmp_path):
    """MATLAB's header, group and field names, kinds and shapes (10.6084/m9.figshare.1512427)."""
    write_slice(tmp_path / "1.mat", PIXELS, PIXELS > 2000, 0, patient="100360")
    assert (tmp_path / "1.mat").read_bytes()[:19] == b"MATLAB 7.3 MAT-file"
    with h5py.File(tmp_path / "1.mat") as file:
        group = file["cjdata"]
        assert file.userblock_size == 512
        assert set(group) == {"image", "tumorMask", "label", "PID", "tumorBorder"}
        assert group["label"][()].tolist() == [[1.0]]
        assert group["tumorMask"].dtype == np.uint8
        assert group["PID"][()].ravel().tolist() == [ord(c) for c in "100360"]
        assert group["image"].attrs["MATLAB_class"] == b"int16"
        assert "btlib_origin" not in group.attrs


@pytest.mark.parametrize("pid", [None, np.zeros((2, 1), np.uint16), np.zeros((0, 0), np.uint16)])
def test_missing_or_empty_patient_is_none(tmp_path, make_slice, pid):
    make_slice(tmp_path / "1.mat", patient="someone")
    change(tmp_path / "1.mat", "PID", pid)
    assert read_slice(tmp_path / "1.mat").patient is None


def test_a_slice_that_cannot_be_written_whole_is_not_there(tmp_path, make_slice, monkeypatch):
    """Nor is the old one cut: the label comes after the image."""
    make_slice(tmp_path / "1.mat")
    before = (tmp_path / "1.mat").read_bytes()
    create = h5py.Group.create_dataset

    def full(group, name, **options):
        if name == "label":
            raise OSError("no space left")
        return create(group, name, **options)

    monkeypatch.setattr(h5py.Group, "create_dataset", full)
    for name in ("1.mat", "2.mat"):
        with pytest.raises(OSError, match="no space left"):
            make_slice(tmp_path / name, seed=9)
    assert [path.name for path in tmp_path.iterdir()] == ["1.mat"]
    assert (tmp_path / "1.mat").read_bytes() == before


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", ">i2"])
def test_other_dtypes_keep_their_values(tmp_path, dtype):
    image = np.array([[1, 2, 3], [40, 50, 60]]).astype(dtype)
    write_slice(tmp_path / "1.mat", image, image > 2, 0)
    s = read_slice(tmp_path / "1.mat")
    assert s.image.dtype == np.dtype(dtype).newbyteorder("=")
    assert s.image.tolist() == [[1, 2, 3], [40, 50, 60]]


@pytest.mark.parametrize(
    ("written", "read"), [("  P1 ", "P1"), ("   ", None), ("", None), ("\uffff", "\uffff"), ("a b", "a b"), ("é", "é")]
)
def test_a_patient_is_text_without_blanks_around_it(tmp_path, make_slice, written, read):
    make_slice(tmp_path / "1.mat", patient=written)
    assert read_slice(tmp_path / "1.mat").patient == read


@pytest.mark.parametrize("shape", [(2, 2), (2, 9), (9, 2)])
def test_the_smallest_images(tmp_path, shape):
    write_slice(tmp_path / "1.mat", np.ones(shape), np.ones(shape, bool), 0)
    assert read_slice(tmp_path / "1.mat").image.shape == shape


def test_a_mask_may_be_of_truth_values(tmp_path, make_slice):
    _, mask = make_slice(tmp_path / "1.mat")
    change(tmp_path / "1.mat", "tumorMask", mask)
    assert np.array_equal(read_slice(tmp_path / "1.mat").mask, mask)


def test_large_fields_are_packed(tmp_path, make_slice):
    make_slice(tmp_path / "1.mat")
    with h5py.File(tmp_path / "1.mat") as file:
        packed = {name: field.compression for name, field in file["cjdata"].items()}
    assert packed == {"image": "gzip", "tumorMask": "gzip", "label": None, "PID": None, "tumorBorder": None}


FAULTS = {
    "no image": ("image", None, "cjdata/image", "missing"),
    "no label": ("label", None, "cjdata/label", "missing"),
    "no mask": ("tumorMask", None, "cjdata/tumorMask", "missing"),
    "label 0": ("label", [[0.0]], "cjdata/label", "got 0"),
    "label 4": ("label", [[4.0]], "cjdata/label", "got 4"),
    "label NaN": ("label", [[np.nan]], "cjdata/label", "got nan"),
    "label 2.5": ("label", [[2.5]], "cjdata/label", "got 2.5"),
    "two labels": ("label", [[1.0, 2.0]], "cjdata/label", "got 2 numbers"),
    "mask of another size": ("tumorMask", np.ones((52, 37), np.uint8), "cjdata/tumorMask", "(52, 37)"),
    "mask with a 2": ("tumorMask", np.full((37, 52), 2, np.uint8), "cjdata/tumorMask", "got 2"),
    "mask with NaN": ("tumorMask", np.full((37, 52), np.nan), "cjdata/tumorMask", "got nan"),
    "empty mask": ("tumorMask", np.zeros((37, 52), np.uint8), "cjdata/tumorMask", "empty mask"),
    "image with NaN": ("image", np.where(np.eye(37, 52) > 0, np.nan, 1.0), "cjdata/image", "37 of 1924"),
    "image with infinity": ("image", np.full((37, 52), np.inf), "cjdata/image", "1924 of 1924"),
    "image of three axes": ("image", np.ones((37, 52, 1)), "cjdata/image", "(37, 52, 1)"),
    "image of one row": ("image", np.ones((1, 52)), "cjdata/image", "(1, 52)"),
    "image of one column": ("image", np.ones((37, 1)), "cjdata/image", "(37, 1)"),
    "image of one axis": ("image", np.ones(37), "cjdata/image", "(37,)"),
    "image of text": ("image", b"picture", "cjdata/image", "numeric"),
    "patient of floats": ("PID", [1.5], "cjdata/PID", "float64"),
    "patient below range": ("PID", [-1], "cjdata/PID", "-1"),
    "patient out of range": ("PID", [70000], "cjdata/PID", "70000"),
}


@pytest.mark.parametrize(("field", "data", "where", "came"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_field_is_named_with_what_came_and_the_hint(tmp_path, make_slice, field, data, where, came):
    path = tmp_path / "5.mat"
    make_slice(path)
    change(path, field, data)
    with pytest.raises(DataError) as caught:
        read_slice(path)
    assert str(path) in str(caught.value)
    assert where in caught.value.problem
    assert came in caught.value.problem
    assert caught.value.hint


def test_no_file_a_folder_and_an_empty_file(tmp_path):
    (tmp_path / "2.mat").mkdir()
    (tmp_path / "3.mat").touch()
    for name, came in (("1.mat", "it does not exist"), ("2.mat", "folder"), ("3.mat", "0 bytes")):
        with pytest.raises(DataError, match=came):
            read_slice(tmp_path / name)


def test_not_hdf5(tmp_path):
    (tmp_path / "1.mat").write_bytes(b"<html>202 Accepted</html>" * 100)
    (tmp_path / "2.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(400))
    with pytest.raises(DataError, match="HDF5 cannot read"):
        read_slice(tmp_path / "1.mat")
    with pytest.raises(DataError, match="older v5"):
        read_slice(tmp_path / "2.mat")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_truncated_file(tmp_path, make_slice, part):
    path = tmp_path / "1.mat"
    make_slice(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(DataError, match=r"truncated|HDF5 cannot read"):
        read_slice(path)


def test_damaged_pixels(tmp_path, make_slice):
    """Bytes inside the packed image are overwritten: HDF5 opens, but the field cannot be read."""
    path = tmp_path / "1.mat"
    make_slice(path)
    with h5py.File(path) as file:
        chunk = file["cjdata/image"].id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(512 + chunk.byte_offset)
        raw.write(b"\xff" * (chunk.size // 2))
    with pytest.raises(DataError, match="cjdata/image: damaged"):
        read_slice(path)


def test_no_group(tmp_path):
    with h5py.File(tmp_path / "1.mat", "w") as file:
        file["cvind"] = [1, 2]
    with pytest.raises(DataError, match="group 'cjdata', found cvind"):
        read_slice(tmp_path / "1.mat")


@pytest.mark.parametrize(
    "name", ["slice.mat", "-1.mat", "0.mat", "1.5.mat", "1.mat.mat", "1.mat.bak", "7.h5", "7", "７.mat"]
)
def test_a_name_without_number(tmp_path, name):
    with pytest.raises(DataError, match=r"NUMBER\.mat"):
        read_slice(tmp_path / name)


@pytest.mark.parametrize("name", ["cvind.mat", "CVIND.MAT"])
def test_cvind_is_no_slice(tmp_path, name):
    with pytest.raises(DataError, match="cross-validation folds, not a slice"):
        read_slice(tmp_path / name)


def test_unknown_origin(tmp_path, make_slice):
    make_slice(tmp_path / "1.mat", origin="dream")
    with pytest.raises(DataError, match="btlib_origin"):
        read_slice(tmp_path / "1.mat")


def test_a_file_that_another_program_writes_is_told(tmp_path, make_slice):
    make_slice(tmp_path / "1.mat")
    with (tmp_path / "1.mat").open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another program is writing the file"):
            read_slice(tmp_path / "1.mat")
    read_slice(tmp_path / "1.mat")


@pytest.mark.parametrize("field", ["image", "tumorMask", "label", "PID"])
def test_a_phantom_that_was_edited_is_noticed(tmp_path, make_slice, field):
    """Its files say what they hold; those of others do not."""
    for origin in ("phantom", "figshare"):
        make_slice(path := tmp_path / origin / "1.mat", patient="P1", origin=origin)
        with h5py.File(path, "r+") as file:
            values = file[f"cjdata/{field}"][()]
            values[0, 0] = values[0, 0] % 2 + 1 if field != "tumorMask" else 1 - values[0, 0]
            file[f"cjdata/{field}"][...] = values
        if origin == "figshare":
            read_slice(path)
        else:
            with pytest.raises(DataError, match="btlib_digest: does not match the content"):
                read_slice(path)


def test_a_field_that_is_larger_than_a_slice_can_be_is_not_read(tmp_path, make_slice, monkeypatch):
    make_slice(tmp_path / "1.mat")
    monkeypatch.setattr("btlib.data.sources.figshare.slice_file.LARGEST", 1000)
    with pytest.raises(DataError, match="cjdata/image: expected at most 0 MiB"):
        read_slice(tmp_path / "1.mat")


def test_a_patient_of_a_novel_s_length_is_refused(tmp_path, make_slice):
    make_slice(tmp_path / "1.mat", patient="x" * 1000)
    assert read_slice(tmp_path / "1.mat").patient == "x" * 1000
    make_slice(tmp_path / "1.mat", patient="x" * 1001)
    with pytest.raises(DataError, match="PID: expected at most 1000 characters, got 1001"):
        read_slice(tmp_path / "1.mat")


@pytest.mark.parametrize("patient", ["脑瘤 患者", "🧠", "مريض", "a\x07b"])
def test_a_patient_of_any_script_comes_back(tmp_path, make_slice, patient):
    make_slice(tmp_path / "1.mat", patient=patient)
    assert read_slice(tmp_path / "1.mat").patient == patient


@pytest.mark.parametrize("value", [1e39, -1e308, 3e38])
def test_an_intensity_that_float32_cannot_scale_is_refused(tmp_path, value):
    image = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, value]])
    write_slice(tmp_path / "1.mat", image, image > 4, 0)
    with pytest.raises(DataError, match=r"intensities of at most ±1\.7e\+38"):
        read_slice(tmp_path / "1.mat")
