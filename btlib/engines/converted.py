"""Cache of converted models on disk. Each is converted once, and verified before it is used."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from btlib import fingerprint, stored_folder
from btlib.engines.engine import Subject
from btlib.errors import warn
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
    """Return a converted model. It is read from the cache if it is stored there undamaged, else converted.

    Several processes may call this at the same time; only one of them converts.

    Args:
        subject: Model to convert.
        kind: Prefix of the folder's name.
        depends_on: Values that decide the result, in addition to the model and its size.
        convert: Function that writes the converted files into a folder.
        read: Function that reads the converted model from this folder.
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
        warn(f"{folder}: the converted model is damaged ({error}); it is converted again", stacklevel=2)
        return False
    return True
