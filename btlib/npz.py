"""NumPy's `.npz` files: written with a digest, and checked strictly when they are read."""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.files import DamagedFileError

_DIGEST, _SEALED = "btlib_digest", b"with a digest of btlib's"


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays (or texts) by name, with a digest of all of them, compressed and atomically.

    Raises:
        ValueError: An array contains Python objects, which NumPy would pickle.
    """
    found = {name: np.asarray(array) for name, array in arrays.items()}
    of_objects = [name for name, array in found.items() if array.dtype.hasobject]
    if of_objects:
        raise ValueError(f"arrays of Python objects cannot be written: {', '.join(of_objects)}")
    members: dict[str, Any] = {**found, _DIGEST: np.array(_digest(found))}
    content = io.BytesIO()  # in memory first: zipfile does not handle a full disk properly
    np.savez_compressed(content, **members)
    with zipfile.ZipFile(content, "a") as packed:
        packed.comment = _SEALED
    with files.atomic_path(path) as part:
        part.write_bytes(content.getbuffer())


def read_npz(path: Path, names: Iterable[str], optional: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
    """Read arrays by name. Python objects in a file are never unpickled.

    Args:
        path: Path of the file.
        names: Names of required arrays.
        optional: Names of arrays that are read if they exist.

    Raises:
        OSError: The file does not exist, or cannot be read.
        DamagedFileError: It is not an `.npz` file, lacks an array, contains an array of Python objects, an array larger
            than the free memory or of another size than its header states, or has changed since it was written.
    """
    wanted = [*names, *optional]
    files.require_regular(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as packed:
            present = packed.namelist()
            if len(set(present)) < len(present):
                raise DamagedFileError("contains an array twice")
            for item in packed.infolist():
                packed.open(item).close()  # checks that the name in the member's header is the listed one
                if not item.filename.endswith(".npy"):
                    raise DamagedFileError(f"contains {item.filename!r}, which is not an array")
            there = {name.removesuffix(".npy") for name in present}
            missing = [name for name in names if name not in there]
            if missing:
                found_names = ", ".join(sorted(there)) or "nothing"
                raise DamagedFileError(f"expected the arrays {', '.join(missing)}, found {found_names}")
            sealed = _DIGEST in there
            if sealed != (packed.comment == _SEALED):
                raise DamagedFileError("its list of arrays is damaged")
            read = sorted(there - {_DIGEST}) if sealed else [name for name in wanted if name in there]
            files.require_memory(sum(packed.getinfo(f"{name}.npy").file_size for name in read))
            found = {name: _array(packed, name) for name in read}
            if sealed and str(_array(packed, _DIGEST)) != _digest(found):
                raise DamagedFileError("does not match its digest: edited or damaged")
    except (DamagedFileError, MemoryError):
        raise
    except OSError as error:
        if error.errno is None:  # raised by NumPy because of the content
            raise DamagedFileError(f"cannot be read: {error}") from error
        raise
    except Exception as error:  # on a damaged file zipfile, zlib and NumPy may raise any exception
        raise DamagedFileError(f"cannot be read: {str(error) or type(error).__name__}") from error
    return {name: found[name] for name in wanted if name in found}


def names_in(path: Path) -> list[str]:
    """Return the names of the arrays in a file.

    Raises:
        OSError: The file cannot be read.
        DamagedFileError: It is not an `.npz` file.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            return [name.removesuffix(".npy") for name in packed.namelist() if name != f"{_DIGEST}.npy"]
    except (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:
        raise DamagedFileError(f"cannot be read: {error}") from error


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {arrays[name].shape}\n".encode())
        digest.update(array.tobytes() if array.ndim == 0 else array.data.cast("B") if array.size else b"")
    return digest.hexdigest()


def _array(packed: zipfile.ZipFile, name: str) -> NDArray[Any]:
    member = packed.getinfo(f"{name}.npy")
    with packed.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read_header:
            raise DamagedFileError(f"{name}: expected version 1.0 or 2.0 of NumPy's format, got {version}")
        shape, fortran, dtype = read_header[version](file)
        if dtype.hasobject:
            raise DamagedFileError(f"{name}: contains Python objects, which are never read")
        count = int(np.prod(shape, dtype=object)) if shape else 1
        size = count * dtype.itemsize
        if min(shape, default=0) < 0 or size != member.file_size - file.tell():
            raise DamagedFileError(
                f"{name}: expected {size} bytes for {shape} of {dtype}, found {member.file_size - file.tell()}"
            )
        values = np.frombuffer(file.read(), dtype, count) if size else np.empty(count, dtype)
    return values.reshape(shape, order="F" if fortran else "C")
