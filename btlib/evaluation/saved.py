"""Predictions that were made elsewhere and saved to a file, looked up by the ids of the samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from btlib import npz
from btlib.errors import PredictionError
from btlib.files import DamagedFileError
from btlib.types import Predictions

_MAKE = (
    "write id [n], and mask_prob [n, structures, h, w] or class_prob [n, classes] or both, "
    "for example with btlib.adapters.save_predictions"
)
_FORMAT = "it must be a .npz or HDF5 file"
_NAMED = 5  # largest number of missing samples that an error message names


class SavedPredictions:
    """Predictor that returns predictions stored in a `.npz` or HDF5 file.

    The file contains `id`, text [n], the id of each sample in the data set; and `mask_prob`, floats [n, structures, h,
    w] (for one structure also [n, h, w]), or `class_prob`, floats [n, classes], or both. Ids that are numbers may be
    stored as `number`, integers [n], instead of `id`. From an HDF5 file only the requested rows are read.

    Args:
        path: Path of the file.

    Attributes:
        device: "cpu".

    Raises:
        PredictionError: The file cannot be read, an array is missing, the lengths differ, an id is not text (or
            `number` not an integer from 1), or an id occurs twice.
    """

    device = "cpu"

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._parts = _open(self.path)
        lengths = {name: part.shape[0] if part.shape else 0 for name, part in self._parts.items()}
        named = [name for name in ("id", "number") if name in lengths]
        if len(named) != 1 or len(lengths) < 2:
            raise self._error(f"contains {', '.join(lengths) or 'nothing'}", _MAKE)
        if len(set(lengths.values())) > 1:
            raise self._error(f"lengths differ: {lengths}", _MAKE)
        ids = self._ids() if named == ["id"] else self._numbers()
        self._rows = {name: row for row, name in enumerate(ids)}
        if len(self._rows) < len(ids):
            raise self._error(f"has sample {_first_twice(ids)} twice", "write each sample once")

    def _ids(self) -> list[str]:
        ids = self._read(self._parts["id"], None)
        if ids.ndim != 1 or ids.dtype.kind != "U":
            raise self._error(f"id: expected text [n], got {ids.dtype} {ids.shape}", _MAKE)
        return [str(name) for name in ids.tolist()]

    def _numbers(self) -> list[str]:
        numbers = self._read(self._parts["number"], None)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iuf":
            raise self._error(f"number: expected whole numbers [n], got {numbers.dtype} {numbers.shape}", _MAKE)
        strange = numbers[~(np.isfinite(numbers) & (numbers >= 1) & (numbers == np.trunc(numbers)))]
        if len(strange):
            raise self._error(f"number: expected whole numbers from 1, got {strange[0]}", _MAKE)
        return [str(int(number)) for number in numbers.tolist()]

    def look_up(self, ids: NDArray[np.str_], images: NDArray[np.float32]) -> Predictions:
        """Return the predictions of samples.

        Args:
            ids: Ids of the samples, text [n].
            images: Images of the samples, [n, channels, h, w]; only their size is used.

        Raises:
            PredictionError: The file lacks a sample, or its masks have another size than the images.
        """
        self.require(ids)
        rows = np.array([self._rows[name] for name in ids.tolist()], dtype=np.int64)
        mask = self._parts.get("mask_prob")
        if mask is not None and mask.shape[-2:] != images.shape[-2:]:
            raise self._error(
                f"contains masks of {mask.shape[-2:]}, expected the size of the samples, {images.shape[-2:]}",
                f"declare image_size={mask.shape[-1]} in @case" if len(mask.shape) in (3, 4) else _MAKE,
            )
        classes = self._parts.get("class_prob")
        return Predictions(*(None if part is None else self._read(part, rows) for part in (mask, classes)))

    def require(self, ids: NDArray[np.str_], kind: str = "samples") -> None:
        """Check that the file has predictions of all given samples.

        Args:
            ids: Ids of the samples, text [n].
            kind: Description of the samples for the error message, such as "test samples".

        Raises:
            PredictionError: Samples are missing. The message states their number and names the first of them.
        """
        wanted = list(dict.fromkeys(ids.tolist()))
        missing = [name for name in wanted if name not in self._rows]
        if missing:
            named = ", ".join(missing[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
            raise self._error(
                f"has no prediction for {len(missing)} of {len(wanted)} {kind}: {named}",
                f"predict all {kind}; use the ids of the data set (Dataset.ids; 7.mat has the id 7)",
            )

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Always raise an error: saved predictions are found by id, and here only images are given.

        Raises:
            PredictionError: Always.
        """
        raise self._error("saved predictions are found by the ids of samples, not by images", "call `look_up`")

    def _read(self, part: "_Part", rows: NDArray[np.int64] | None) -> NDArray[Any]:
        try:
            return part.read(rows)
        except (OSError, DamagedFileError) as error:
            raise self._error(f"cannot be read: {error}", _FORMAT) from error

    def _error(self, problem: str, hint: str) -> PredictionError:
        return PredictionError(problem, where=self.path, hint=hint)


def _first_twice(names: list[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]


class _Part(Protocol):
    """One array of the file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        """Read some rows, in the given order and with repetitions; None reads all."""


@dataclass(frozen=True, eq=False)
class _InMemory:
    values: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def read(self, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        return self.values if rows is None else self.values[rows]


@dataclass(frozen=True)
class _InHdf5:
    path: Path
    name: str
    shape: tuple[int, ...]

    def read(self, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        from btlib import hdf5

        with hdf5.reading(self.path) as file:
            found = hdf5.dataset(file, self.name)
            if found is None or found.shape != self.shape:
                raise DamagedFileError(f"{self.name} has changed since it was opened")
            if rows is None:
                return hdf5.values(found)
            unique, back = np.unique(rows, return_inverse=True)  # HDF5 requires sorted and unique rows
            return np.asarray(found[unique])[back]


def _open(path: Path) -> Mapping[str, _Part]:
    names = ("id", "number", "mask_prob", "class_prob")
    try:
        if not path.is_file():
            raise PredictionError("there is no such file", where=path, hint=_MAKE)
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            return {name: _InMemory(array) for name, array in npz.read_npz(path, (), names).items()}
        return _open_hdf5(path, names)
    except (OSError, DamagedFileError) as error:
        raise PredictionError(f"cannot be read: {error}", where=path, hint=_FORMAT) from error


def _open_hdf5(path: Path, names: tuple[str, ...]) -> Mapping[str, _Part]:
    from btlib import hdf5

    with hdf5.reading(path) as file:
        ids = hdf5.texts(file, "id")
        found = {name: hdf5.dataset(file, name) for name in names if name != "id"}
        parts = {name: _InHdf5(path, name, part.shape) for name, part in found.items() if part is not None}
        return parts if ids is None else {"id": _InMemory(ids), **parts}
