"""Atomic writing of files, so that a reader sees the old or the new file, never a part of it; detection of damage."""

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
_NAME = 100  # maximum bytes of a target's name in the name of its temporary file; file systems allow 255 bytes
_cleared: set[tuple[int, Path]] = set()


class DamagedFileError(ValueError):
    """A file has changed since it was written. Readers convert this into their own error, or create the file again."""


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Provide a temporary path next to `target`, which replaces `target` when the block ends without an error.

    The temporary file is in the target's own folder, since a rename is atomic only within one file system. When a
    process writes to a folder for the first time, it removes the temporary files that killed processes left there. If
    the target is a link, the file that it points to is replaced.

    Raises:
        OSError: The file cannot be written, or the target is a folder, pipe, socket, device or broken link.
    """
    target = _file_at(target)
    handle, name = tempfile.mkstemp(**_beside(target))
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as f:
            os.fsync(f.fileno())
        part.chmod(0o644)  # mkstemp makes it private; other users may read our files
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _file_at(target: Path) -> Path:
    """Return the target, or the file that it is a link to. Only a regular file may be replaced."""
    if target.is_symlink():
        try:
            target = target.resolve(strict=True)
        except (OSError, RuntimeError) as error:  # a broken or circular link
            raise FileNotFoundError(errno.ENOENT, "is a link to a file that does not exist", str(target)) from error
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "expected a file, found a folder, pipe, socket or device", str(target))
    return target


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Provide an empty temporary folder that is renamed to `target` at the end; `target` must not exist by then."""
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
    """Arguments of `tempfile` for a file that will become `target`; its name contains the machine and the process."""
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
    except OSError:  # the process belongs to another user
        return True
    return True


def why_unwritable(folder: Path) -> str | None:
    """Return why nothing can be written to a folder, which need not exist yet; None if it is writable."""
    there = folder.absolute()
    while not there.exists():
        if there.is_symlink():
            return f"{there} is a link to {there.readlink()}, which does not exist"
        there = there.parent
    if not there.is_dir():
        return f"{there} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"{there}: {error.strerror or error}"


def require_regular(path: Path) -> None:
    """Check that a path is a regular file: reading a pipe could block forever.

    Raises:
        OSError: The file does not exist.
        DamagedFileError: It is a folder, pipe, socket or device.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedFileError("expected a file, found a folder, pipe, socket or device")


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write JSON with sorted keys, atomically. NaN and infinity raise a ValueError, because JSON has neither."""
    write_text(target, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with two additional fields: `digest` of all other fields, and `sealed`, which is true.

    Args:
        value: Plain JSON values; other field names than these two.
    """
    return {_DIGEST: fingerprint.of(value), **value, _SEALED: True}


def unsealed(value: Any, *, required: bool = True) -> dict[str, Any]:
    """Return the fields of a sealed JSON object, without those that `sealed` added.

    Args:
        value: Value returned by `json.loads`.
        required: Whether the object must be sealed; files of older versions are not.

    Raises:
        DamagedFileError: The value is not an object, has no digest, or has changed since it was sealed.
    """
    if not isinstance(value, dict):
        raise DamagedFileError(f"expected a JSON object, found {type(value).__name__}")
    fields = {name: field for name, field in value.items() if name not in (_DIGEST, _SEALED)}
    if not required and len(fields) == len(value):
        return fields
    if _DIGEST not in value or value.get(_SEALED) is not True:
        raise DamagedFileError(f"{_DIGEST} or {_SEALED}: missing or damaged")
    if value[_DIGEST] != fingerprint.of(fields):
        raise DamagedFileError(f"{_DIGEST}: does not match the content: edited by hand or damaged")
    return fields


def read_sealed(path: Path, *, required: bool = True) -> dict[str, Any]:
    """Read a sealed JSON object; see `unsealed`.

    Raises:
        OSError: The file does not exist, or cannot be read.
        DamagedFileError: It contains no JSON object, or has changed since it was written.
    """
    require_regular(path)
    try:
        return unsealed(json.loads(path.read_text(encoding="utf-8")), required=required)
    except DamagedFileError:
        raise
    except RecursionError as error:
        raise DamagedFileError("is nested too deeply") from error
    except (ValueError, OverflowError) as error:  # not text, not JSON, or invalid or too large numbers
        raise DamagedFileError(f"is not JSON: {error}") from error


def append_digest(path: Path) -> None:
    """Append the SHA-256 of its content to a file whose format allows this; `require_digest` verifies it."""
    digest = fingerprint.of_file(path)
    with path.open("ab") as file:
        file.write(_ending(digest))


def require_digest(path: Path) -> None:
    """Check that a file has not changed since `append_digest`.

    Raises:
        OSError: The file does not exist, or cannot be read.
        DamagedFileError: It has changed, or does not end with a digest.
    """
    require_regular(path)
    digest, left = hashlib.sha256(), path.stat().st_size - len(_ending("0" * 64))
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(left, 2**20))):
            digest.update(piece)
            left -= len(piece)
        if left or file.read() != _ending(digest.hexdigest()):
            raise DamagedFileError("does not match the digest at its end")


def _ending(digest: str) -> bytes:
    return f"\nbtlib sha256 {digest}\n".encode()


def require_memory(size: int) -> None:
    """Check that data fit into memory: a small compressed file can contain terabytes.

    Args:
        size: Size in bytes.

    Raises:
        DamagedFileError: The size exceeds the free memory.
    """
    import psutil

    free = psutil.virtual_memory().available
    if size > free:
        raise DamagedFileError(f"needs {size / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free")
