"""What a HDF5 file says of other files is not believed, nor what it says of its size."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from btlib import hdf5
from btlib.files import DamagedFileError

SECRET = np.arange(6, dtype=np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the user's that is nobody's business."""
    file = tmp_path / "secret"
    file.write_bytes(SECRET.tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = SECRET
    return file


def refused(path: Path, match: str) -> None:
    with pytest.raises(DamagedFileError, match=match):
        read(path)


def read(path: Path) -> np.ndarray:
    with hdf5.reading(path) as file:
        found = hdf5.dataset(file, "x")
        assert found is not None
        return hdf5.values(found)


def test_numbers_come_in_the_byte_order_of_this_machine(path: Path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.array([[1, 2, 3]], ">i2"), compression="gzip")
        file.create_group("g")
    with hdf5.reading(path) as file:
        found = hdf5.dataset(file, "x")
        assert found is not None
        assert hdf5.values(found).dtype == np.dtype("<i2") if np.little_endian else np.dtype(">i2")
        assert hdf5.values(found).tolist() == [[1, 2, 3]]
        assert hdf5.dataset(file, "g") is None
        assert hdf5.dataset(file, "none") is None
        assert isinstance(hdf5.group(file, "g"), h5py.Group)
        assert hdf5.group(file, "x") is None


def test_values_in_another_file_are_not_read(path: Path, secret: Path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (6,), "u1", external=[(str(secret), 0, 6)])
    refused(path, "its values are in another file, which is never read")


def test_a_virtual_data_set_is_not_read(path: Path, secret: Path):
    layout = h5py.VirtualLayout((6,), "u1")
    layout[:] = h5py.VirtualSource(secret.with_name("other.h5"), "x", (6,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x", layout)
    refused(path, "its values are in another file")


def test_links_are_not_followed(path: Path, secret: Path):
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink(str(secret.with_name("other.h5")), "x")
        file["g"] = h5py.ExternalLink(str(secret.with_name("other.h5")), "/")
        file["soft"] = h5py.SoftLink("/x")
    refused(path, "a link to another place")
    with hdf5.reading(path) as file:
        for look in (hdf5.group, hdf5.dataset):
            for name in ("g", "soft"):
                with pytest.raises(DamagedFileError, match=f"{name}: is a link"):
                    look(file, name)


@pytest.mark.parametrize(
    "dtype", [h5py.string_dtype(), h5py.vlen_dtype(np.int8), h5py.ref_dtype, "S3", [("a", "i1")], "c8"], ids=str
)
def test_only_numbers_are_read(path: Path, dtype: object):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (2,), dtype)
    refused(path, "expected a numeric dtype")


@pytest.mark.parametrize("options", [{}, {"chunks": (1000, 1000), "compression": "gzip"}], ids=["plain", "chunked"])
def test_a_size_that_is_not_there_is_refused_unread(path: Path, options: dict[str, object]):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**6, 10**6), "f8", **options)
    assert path.stat().st_size < 10**4
    refused(path, "its header states 8000000000000 bytes, but only 0 are stored")


def test_as_much_as_deflate_can_pack_is_read(path: Path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros(10**7), chunks=(10**7,), compression="gzip")
        assert file["x"].id.get_storage_size() < 80_000
    assert read(path).sum() == 0


def test_what_is_no_file_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        refused(path, "expected a file, found a folder, pipe")
    with pytest.raises(FileNotFoundError), hdf5.reading(tmp_path / "none"):
        pass


@pytest.mark.parametrize("content", [b"", b"text", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_what_is_no_hdf5(path: Path, content: bytes):
    path.write_bytes(content)
    refused(path, "open file")
