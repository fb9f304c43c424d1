"""Predictions that were made elsewhere and saved to a file, looked up by the ids of the samples."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from btlib import npz
from btlib.errors import PredictionError
from btlib.evaluation import saved_ids
from btlib.files import DamagedFileError
from btlib.types import Predictions

_MAKE = (
    "write id [n], and mask_prob [n, structures, h, w] or class_prob [n, classes] or both, "
    "for example with btlib.adapters.save_predictions"
)
_FORMAT = "it must be a .npz or HDF5 file"
_NAMES = ("id", "number", "mask_prob", "class_prob")
_TYPES = {
    "id": "write text; whole numbers from 1 may be stored as `number` in place of id",
    "number": "write whole numbers from 1; text is stored as `id` in place of number",
    "mask_prob": "write probabilities as floating-point numbers",
    "class_prob": "write probabilities as floating-point numbers",
}
_NAMED = 5  # largest number of missing samples that an error message names


class MissingSamplesError(PredictionError):
    """Saved predictions lack samples."""


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
            `number` not an integer from 1) or blank, or an id occurs twice.
    """

    device = "cpu"

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._parts = _open(self.path)
        lengths = {name: part.shape[0] if part.shape else 0 for name, part in self._parts.items() if name in _NAMES}
        named = [name for name in ("id", "number") if name in lengths]
        if len(named) != 1 or len(lengths) < 2:
            raise self._error(f"contains {_first_names(_names_in(self.path)) or 'nothing'}", _MAKE)
        if len(set(lengths.values())) > 1:
            raise self._error(f"lengths differ: {lengths}", _MAKE)
        try:
            ids = (saved_ids.texts if named == ["id"] else saved_ids.numbers)(self._read(self._parts[named[0]], None))
        except saved_ids.WrongIdsError as error:
            raise self._error(error.problem, error.hint) from error
        self._rows = {name: row for row, name in enumerate(ids)}

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
            raise self._wrong_size(mask.shape, images.shape[-2:])
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
            problem = f"has no prediction for {len(missing)} of {len(wanted)} {kind}: {_first_names(missing)}"
            hint = saved_ids.missing_hint(missing, self._rows, kind)
            raise MissingSamplesError(problem, where=self.path, hint=hint)

    def require_known(self, ids: NDArray[np.str_]) -> None:
        """Check that the file has no predictions of samples outside the data set: they would be of other data.

        Args:
            ids: Ids of all samples of the data set, text [n].

        Raises:
            PredictionError: The file has other ids. The message states their number and names the first of them.
        """
        known = set(ids.tolist())
        unknown = [name for name in self._rows if name not in known]
        if unknown:
            raise self._error(
                f"has predictions for {len(unknown)} samples that are not among the {len(known)} of the data set: "
                f"{_first_names(unknown)}",
                saved_ids.unknown_hint(unknown, ids.tolist()),
            )

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """Always raise an error: saved predictions are found by id, and here only images are given.

        Raises:
            PredictionError: Always.
        """
        raise self._error("saved predictions are found by the ids of samples, not by images", "call `look_up`")

    def _wrong_size(self, shape: tuple[int, ...], side: tuple[int, ...]) -> PredictionError:
        """Return the error for masks of another size than the images."""
        hint = _MAKE
        if shape[1:3] == side and len(shape) == 4:
            hint = "the structures are on the last axis: np.moveaxis(mask_prob, 3, 1)"
        elif len(shape) in (3, 4) and shape[-1] == shape[-2]:
            hint = f"declare image_size={shape[-1]} in @case"
        elif len(shape) in (3, 4):
            hint = f"declare image_size={shape[-1]} in @case, and resize the masks to squares, as the images are"
        found = "×".join(map(str, shape[-2:]))
        return self._error(
            f"contains masks of {shape[-2:]}, expected the size of the samples, {side}"
            if len(shape) in (3, 4)
            else f"mask_prob: expected [n, structures, h, w], got shape {shape} ({found})",
            hint,
        )

    def _read(self, part: "_Part", rows: NDArray[np.int64] | None) -> NDArray[Any]:
        try:
            return part.read(rows)
        except (OSError, DamagedFileError) as error:
            raise self._error(f"cannot be read: {error}", _FORMAT) from error

    def _error(self, problem: str, hint: str) -> PredictionError:
        return PredictionError(problem, where=self.path, hint=hint)


def _first_names(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


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
    try:
        if not path.is_file():
            raise PredictionError("there is no such file", where=path, hint=_MAKE)
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            return {name: _InMemory(array) for name, array in npz.read_npz(path, (), _NAMES).items()}
        return _open_hdf5(path)
    except (OSError, DamagedFileError) as error:
        raise PredictionError(f"cannot be read: {error}", where=path, hint=_FORMAT) from error


def _names_in(path: Path) -> list[str]:
    """Return the names of all arrays in the file, the expected ones first."""
    if zipfile.is_zipfile(path):
        found = npz.names_in(path)
    else:
        from btlib import hdf5

        with hdf5.reading(path) as file:
            found = [str(name) for name in file]
    return [name for name in _NAMES if name in found] + [name for name in found if name not in _NAMES]


def _open_hdf5(path: Path) -> Mapping[str, _Part]:
    from btlib import hdf5

    with hdf5.reading(path) as file:
        found: dict[str, Any] = {}
        for name in _NAMES:
            try:
                found[name] = (hdf5.texts if name == "id" else hdf5.dataset)(file, name)
            except hdf5.WrongTypeError as error:
                named = str(error).removeprefix(f"{name}: ")
                raise PredictionError(f"{name}: {named}", where=path, hint=_TYPES[name]) from error
        ids = found.pop("id")
        parts = {name: _InHdf5(path, name, part.shape) for name, part in found.items() if part is not None}
        return parts if ids is None else {"id": _InMemory(ids), **parts}
