"""Converted models on disk: made once for all that decides them, and looked through before they are run."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from btlib import fingerprint, stored_folder
from btlib.engines.engine import Subject
from btlib.errors import BtlibWarning
from btlib.files import DamagedFileError

SCHEMA = "btlib-converted/1"

T = TypeVar("T")


def converted(
    subject: Subject,
    kind: str,
    depends_on: tuple[str | int, ...],
    convert: Callable[[Path], object],
    read: Callable[[Path], T],
) -> T:
    """A converted model, from the cache where it is there and whole. Several processes may ask at once: one converts.

    Args:
        subject: The model.
        kind: What its folder's name begins with.
        depends_on: All that decides what is made, beside the model and its size.
        convert: Writes its files into a folder.
        read: Reads them from there.
    """
    if subject.identity is None or subject.cache is None:
        with tempfile.TemporaryDirectory() as place:
            convert(Path(place))
            return read(Path(place))
    folder = subject.cache / f"{kind}-{fingerprint.of(subject.identity, subject.image_size, *depends_on)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not _is_whole(folder):
            stored_folder.write_folder(folder, SCHEMA, convert, {"kind": kind})
        return read(folder)


def _is_whole(folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        stored_folder.verify_folder(folder, SCHEMA)
    except (OSError, DamagedFileError) as error:
        warnings.warn(f"{folder}: a damaged converted model ({error}); it is made anew", BtlibWarning, stacklevel=2)
        return False
    return True
