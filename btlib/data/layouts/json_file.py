"""Reading of JSON files of other programs."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from btlib.data.sources.table.metadata import outside
from btlib.errors import DataError

_LARGEST = 2**28


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DataError: The file cannot be read, is too large, or contains no JSON object.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"expected at most {_LARGEST} bytes", where=path)
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot be read: {error}", where=path) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON: {error}", where=path, hint="repair the file") from error
    if not isinstance(value, dict):
        raise DataError(f"expected a JSON object, got {type(value).__name__}", where=path, hint="repair the file")
    return value


def file_in(text: object, folder: Path, field: str) -> str:
    """Return the relative path of a file that a JSON file names; a path may begin with `./` or with the folder.

    Raises:
        DataError: It is no text, or leads outside the folder.
    """
    if not isinstance(text, str):
        raise DataError(f"{field}: expected the path of a file, got {text!r}")
    path = PurePosixPath(text)
    for home in (folder, folder.resolve()):
        if path.is_absolute() and path.is_relative_to(home.as_posix()):
            path = path.relative_to(home.as_posix())
    if problem := outside(path.as_posix() if text else ""):
        raise DataError(f"{field}: {problem.removeprefix('file_name: ')}")
    return path.as_posix()
