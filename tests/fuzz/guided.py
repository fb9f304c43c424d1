"""What a right checksum covers and is wrong all the same: files that somebody made so, found by coverage.

Each target makes a file of some bytes and reads it: it is refused in btlib's words, or it is read. Anything else is a
fault. `by_coverage.py` looks for bytes that reach more of btlib's code, `test_guided.py` plays back what it found.
"""

import copy
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from btlib import files, fingerprint
from btlib.errors import BtlibError
from tests.fuzz.readers import PUBLIC, READERS, Reader, quiet

CORPUS = Path(__file__).parent / "corpus"
"""Bytes that once found a fault, in a folder for each target."""

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 2**31, 2**64, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "a", "0", "nan", "../x", "é\ud800", "\x00", "x" * 300, [], {}, [[]], [None], {"": None}),
)
"""What a field may be changed to; `_value` adds numbers, and the values of other fields."""


class Choices:
    """Decisions that are read off some bytes; where these end, the first is taken."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def pick(self, n: int) -> int:
        """A number of 0…n − 1."""
        found = int.from_bytes(self._data[self._at : self._at + 2], "big")
        self._at += 2
        return found % max(n, 1)


def edited(value: Any, choices: Choices) -> Any:
    """A JSON value of which some places have another value, are left out, or stand twice."""
    value = copy.deepcopy(value)
    while choices:
        places = _places(value)
        if not places:
            return _value(value, choices)
        inside, key = places[choices.pick(len(places))]
        what = choices.pick(8)
        if what == 0:
            del inside[key]
        elif what == 1 and isinstance(inside, list):
            inside.insert(key, copy.deepcopy(inside[key]))
        elif what == 1:
            inside[f"{key}_"] = inside[key]
        elif what == 2:
            other, name = places[choices.pick(len(places))]
            inside[key] = copy.deepcopy(other[name])
        else:
            inside[key] = _value(inside[key], choices)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Everything inside a JSON value: what holds it, and its key there."""
    found: list[tuple[Any, Any]] = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        found.append((value, key))
        found += _places(value[key])
    return found


def _value(old: Any, choices: Choices) -> Any:
    if isinstance(old, int | float) and not isinstance(old, bool) and choices.pick(2):
        return old + choices.pick(5) - 2
    return copy.deepcopy(_VALUES[choices.pick(len(_VALUES))])


def _resealed(name: str, value: Any) -> str:
    """As text, with the digest that this kind of file has over its fields."""
    if isinstance(value, dict):
        try:
            if name == "baseline":
                fields = {key: field for key, field in value.items() if key != "digest"}
                value = fields | {"digest": fingerprint.of(fields)}
            else:
                value = files.sealed({k: v for k, v in value.items() if k not in files.sealed({})})
        except (ValueError, OverflowError, UnicodeError):
            pass  # there is no digest of such a value: it is read with the old one
    return json.dumps(value)


SEALED = ("record", "run.json", "split.json", "speed", "baseline", "checkpoint", "model of fit_or_load")
RAW = (
    *("predictions (npz)", "predictions (HDF5)", "predictions (HDF5, ids)", "slice (public)", "zip file of slices"),
    *("folds (MATLAB v5)", "curves"),
)
TARGETS = dict.fromkeys(SEALED, True) | dict.fromkeys(RAW, False)
"""Name of a reader → whether what is changed is JSON with a digest, which then fits; else the bytes are the file."""


class Target:
    """A reader, and how bytes become what it reads.

    Args:
        name: Of the reader; one of `TARGETS`.
    """

    def __init__(self, name: str) -> None:
        self.name, self.sealed = name, TARGETS[name]
        self.reader: Reader = (READERS | PUBLIC)[name]
        self.folder = Path(tempfile.mkdtemp())
        kind = ".json" if self.sealed else ""
        self.path = next(path for path in self.reader.make(self.folder) if path.name.endswith(kind))
        self.sound = self.path.read_bytes()
        self._files = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def content(self, data: bytes) -> bytes:
        """What the file holds, for some bytes."""
        if not self.sealed:
            return data
        text = _resealed(self.name, edited(json.loads(self.sound), Choices(data)))
        return text.encode("utf-8", "surrogatepass")

    def try_one(self, data: bytes) -> str:
        """Write it and read it: "refused" or "read".

        Raises:
            Exception: Whatever is no `BtlibError`.
        """
        for path, content in self._files.items():
            path.write_bytes(content)
        self.path.write_bytes(self.content(data))
        try:
            quiet(self.reader.read, self.folder)
        except BtlibError:
            return "refused"
        finally:
            shutil.rmtree(self.folder / "data", ignore_errors=True)  # what an archive was unpacked to
        return "read"

    def close(self) -> None:
        """Remove its files."""
        shutil.rmtree(self.folder, ignore_errors=True)
