"""Writing files so that a reader sees the old one or the new one, never half of one; and knowing a damaged one."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from btlib import fingerprint

_DIGEST, _SEALED = "digest", "sealed"
_NAME = 100  # bytes of a target's name in that of its temporary file; a file system takes 255 bytes
_cleared: set[tuple[int, Path]] = set()


class DamagedFileError(ValueError):
    """A file is not what was written. Readers turn it into an error of their own, or make the file anew."""


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that replaces it when the block ends without an error.

    The temporary file lies in the target's own folder, since a rename is atomic within one file system only. The first
    time that a process writes to a folder it removes what killed processes left there. Behind a link the file is
    replaced that it leads to.

    Raises:
        OSError: It cannot be written; the target is a folder, pipe, socket or device; or a link that leads nowhere.
    """
    target = _file_at(target)
    handle, name = tempfile.mkstemp(**_beside(target))
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as f:
            os.fsync(f.fileno())
        part.chmod(0o644)  # mkstemp makes it private; what we write is meant to be read
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _file_at(target: Path) -> Path:
    """The target, or what it is a link to: only a file may be replaced."""
    if target.is_symlink():
        try:
            target = target.resolve(strict=True)
        except (OSError, RuntimeError) as error:  # it leads nowhere, or round in a circle
            raise FileNotFoundError(errno.ENOENT, "is a link to what is not there", str(target)) from error
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "expected a file, found a folder, pipe, socket or device", str(target))
    return target


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """As `atomic_path`, for a folder: an empty one that takes the place of `target`, which must not be there then."""
    part = Path(tempfile.mkdtemp(**_beside(target)))
    try:
        yield part
        part.chmod(0o755)  # mkdtemp makes it private
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes of this machine left in a folder."""
    for left in folder.glob(".*.part"):
        found = re.fullmatch(r"\..*\.([0-9a-f]{8})-([0-9]+)\.[^.]*\.part", left.name, re.DOTALL)
        if found is None or found[1] != _machine() or _is_alive(int(found[2])):
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _beside(target: Path) -> dict[str, Any]:
    """Arguments of `tempfile` for something that will become `target`; its name tells whose it is."""
    folder = target.parent
    folder.mkdir(parents=True, exist_ok=True)
    once = (os.getpid(), folder.absolute())
    if once not in _cleared:
        _cleared.add(once)
        remove_leftovers(folder)
    name = target.name.encode("utf-8", "replace")[:_NAME].decode("utf-8", "ignore")
    return {"dir": folder, "prefix": f".{name}.{_machine()}-{os.getpid()}.", "suffix": ".part"}


def _machine() -> str:
    return f"{crc32(socket.gethostname().encode()):08x}"


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def why_unwritable(folder: Path) -> str | None:
    """Why nothing can be written to a folder, which need not be there yet; None where something can."""
    there = folder.absolute()
    while not there.exists():
        if there.is_symlink():
            return f"{there} is a link to {there.readlink()}, which is not there"
        there = there.parent
    if not there.is_dir():
        return f"{there} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"{there}: {error.strerror or error}"


def require_regular(path: Path) -> None:
    """Refuse what is no file of bytes: a pipe would keep its reader waiting for ever.

    Raises:
        OSError: It is not there.
        DamagedFileError: It is a folder, pipe, socket or device.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedFileError("expected a file, found a folder, pipe, socket or device")


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write JSON with sorted keys, atomically; NaN and infinity are refused (ValueError), for JSON has neither."""
    write_text(target, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with two fields more: a digest of all others, and `sealed`, which says that there is one.

    Args:
        value: Plain JSON values, under other names.
    """
    return {_DIGEST: fingerprint.of(value), **value, _SEALED: True}


def unsealed(value: Any, *, required: bool = True) -> dict[str, Any]:
    """The fields of a sealed JSON object, without those that `sealed` added.

    Args:
        value: As `json.loads` gave it.
        required: Whether it must be sealed; files of older versions are not.

    Raises:
        DamagedFileError: It is no object, has no digest, or has changed since it was sealed.
    """
    if not isinstance(value, dict):
        raise DamagedFileError(f"expected a JSON object, found {type(value).__name__}")
    fields = {name: field for name, field in value.items() if name not in (_DIGEST, _SEALED)}
    if not required and len(fields) == len(value):
        return fields
    if _DIGEST not in value or value.get(_SEALED) is not True:
        raise DamagedFileError(f"{_DIGEST} or {_SEALED}: missing or damaged")
    if value[_DIGEST] != fingerprint.of(fields):
        raise DamagedFileError(f"{_DIGEST}: does not fit the content: edited by hand or damaged")
    return fields


def read_sealed(path: Path, *, required: bool = True) -> dict[str, Any]:
    """Read a sealed JSON object; see `unsealed`.

    Raises:
        OSError: The file is not there, or cannot be read.
        DamagedFileError: It holds no JSON object, or has changed since it was written.
    """
    require_regular(path)
    try:
        return unsealed(json.loads(path.read_text(encoding="utf-8")), required=required)
    except DamagedFileError:
        raise
    except RecursionError as error:
        raise DamagedFileError("is nested too deeply") from error
    except (ValueError, OverflowError) as error:  # no text, no JSON, or numbers that are none or too large
        raise DamagedFileError(f"is not JSON: {error}") from error


def append_digest(path: Path) -> None:
    """End a file of a format that does not mind with the SHA-256 of all before it; `require_digest` looks at it."""
    digest = fingerprint.of_file(path)
    with path.open("ab") as file:
        file.write(_ending(digest))


def require_digest(path: Path) -> None:
    """Refuse a file that has changed since `append_digest`.

    Raises:
        OSError: It is not there, or cannot be read.
        DamagedFileError: It has changed, or does not end so.
    """
    require_regular(path)
    digest, left = hashlib.sha256(), path.stat().st_size - len(_ending("0" * 64))
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(left, 2**20))):
            digest.update(piece)
            left -= len(piece)
        if left or file.read() != _ending(digest.hexdigest()):
            raise DamagedFileError("does not fit the digest at its end")


def _ending(digest: str) -> bytes:
    return f"\nbtlib sha256 {digest}\n".encode()


def require_memory(size: int) -> None:
    """Refuse to read what would not fit into memory: a small file can say that it holds terabytes, and hold them.

    Args:
        size: In bytes.

    Raises:
        DamagedFileError: It is more than the memory that is free.
    """
    import psutil

    free = psutil.virtual_memory().available
    if size > free:
        raise DamagedFileError(f"needs {size / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free")
