"""Search for slice files in folders and in zip files, which may contain zip files."""

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from btlib import fingerprint
from btlib.data.faults import joined
from btlib.data.sources.figshare.folder import CVIND, slice_number
from btlib.data.sources.figshare.slice_file import LARGEST
from btlib.errors import DataError

_DEEPEST = 4  # zip files in zip files; Figshare's own download has two levels
_LARGEST_ZIP = 2**33
_CHUNK = 2**20
_HINT = "remove the file and download it again"


@dataclass
class Found:
    """Slices that were found, and written to `data/` of a folder.

    Attributes:
        slices: Number of each slice → fingerprint of its file.
        packed: Number of slices that were in zip files.
        archives: Number of zip files.
        repeated: Number of files that have the number and the content of another one.
    """

    slices: dict[int, str] = field(default_factory=dict)
    packed: int = 0
    archives: int = 0
    repeated: int = 0


def find_slices(source: Path, out: Path) -> Found:
    """Write all slices below a folder, or in one zip file, to `out/data`, and `cvind.mat` to `out`.

    File names in a zip file are used without their folders, so nothing is written outside `out`.

    Raises:
        DataError: Zip files are damaged, nested too deeply or too large, or two files of one number differ. One error
            names all faults.
        OSError: A file cannot be written.
    """
    found = Found()
    faults: list[DataError] = []
    (out / "data").mkdir()
    for path in [source] if source.is_file() else _files(source):
        name = path.name.lower()
        try:
            if name.endswith(".zip"):
                with path.open("rb") as file:
                    _unpack(file, str(path), out, found, 1)
            elif name.endswith(".mat"):
                _require_inside(path, source)
                with path.open("rb") as file:
                    _take(file, path.name, path.stat().st_size, str(path), out, found)
        except DataError as fault:
            faults.append(fault)
    if faults:
        raise joined(faults, source, _HINT, what="faults")
    return found


def _files(folder: Path) -> Iterator[Path]:
    for home, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
        yield from (Path(home) / name for name in sorted(names) if not name.startswith("."))


def _require_inside(path: Path, source: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(source.resolve()):
        raise DataError("is a link to a place outside the folder", where=path)


def _unpack(file: IO[bytes], where: str, out: Path, found: Found, depth: int) -> None:
    """Take the slices of a zip file and of the zip files in it."""
    if depth > _DEEPEST:
        raise DataError(f"expected at most {_DEEPEST} levels of zip files", where=where)
    with _readable(where), zipfile.ZipFile(file) as packed:
        found.archives += 1
        for item in packed.infolist():
            base = PurePosixPath(item.filename.replace("\\", "/")).name
            if item.is_dir() or base.startswith(".") or item.filename.startswith("__MACOSX/"):
                continue
            place = f"{where}/{item.filename}"
            if base.lower().endswith(".mat"):
                with packed.open(item) as member:
                    found.packed += _take(member, base, item.file_size, place, out, found)
            elif base.lower().endswith(".zip"):
                with _spooled(packed, item, place, out) as inner:
                    _unpack(inner, place, out, found, depth + 1)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"cannot be unpacked: {error}", where=where, hint=_HINT) from error


@contextmanager
def _spooled(packed: zipfile.ZipFile, item: zipfile.ZipInfo, where: str, out: Path) -> Iterator[IO[bytes]]:
    """Provide a zip file of a zip file as a temporary file, because members must be read in any order."""
    if item.file_size > _LARGEST_ZIP:
        raise DataError(f"expected at most {_LARGEST_ZIP} bytes, got {item.file_size}", where=where)
    with tempfile.TemporaryFile(dir=out) as file:
        with packed.open(item) as member:
            _copy(member, file, item.file_size, where)
        file.seek(0)
        yield file


def _take(file: IO[bytes], name: str, size: int, where: str, out: Path, found: Found) -> bool:
    """Write a slice; return whether it is a new one."""
    if size > LARGEST:
        raise DataError(f"expected at most {LARGEST} bytes, got {size}", where=where)
    if name.lower() == CVIND:
        with (out / CVIND).open("wb") as sink:
            _copy(file, sink, size, where)
        return False
    number = slice_number(Path(where))
    target = out / "data" / f"{number}.mat"
    part = target.with_suffix(".part")
    with part.open("wb") as sink:
        _copy(file, sink, size, where)
    content = fingerprint.of_file(part)
    if (known := found.slices.get(number)) is None:
        part.replace(target)
        found.slices[number] = content
        return True
    part.unlink()
    if known != content:
        raise DataError(f"slice {number} exists twice, with different content", where=where)
    found.repeated += 1
    return False


def _copy(source: IO[bytes], sink: IO[bytes], size: int, where: str) -> None:
    """Copy a file of a stated size; a longer one would fill the disk."""
    total = 0
    while chunk := source.read(_CHUNK):
        total += len(chunk)
        if total > size:
            raise DataError(f"is larger than the {size} bytes that it states", where=where)
        sink.write(chunk)
