"""Predictions made elsewhere, found by slice number: on another machine, in another language, months ago."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from btlib import npz
from btlib.data.dataset import Dataset
from btlib.errors import PredictionError
from btlib.evaluation.predictor import Predictor, ask
from btlib.files import DamagedFileError
from btlib.types import Predictions

_MAKE = "write number [n], and mask_prob [n, h, w] or class_prob [n, 3] or both (btlib.adapters.save_predictions does)"
_FORMAT = "it must be a .npz or HDF5 file"
_NAMED = 5  # missing slices that a message names


class SavedPredictions:
    """Predictions in a `.npz` or HDF5 file as a predictor.

    The file holds `number`, whole numbers [n], each slice's number in the data set; `mask_prob`, floats [n, h, w], or
    `class_prob`, floats [n, 3], or both. Of an HDF5 file only the rows asked for are read.

    Args:
        path: The file.

    Attributes:
        device: "cpu".

    Raises:
        PredictionError: It cannot be read, lacks one of these, its lengths differ, or its numbers are not whole numbers
            from 1, each once.
    """

    device = "cpu"

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._parts = _open(self.path)
        lengths = {name: part.shape[0] if part.shape else 0 for name, part in self._parts.items()}
        if "number" not in lengths or len(lengths) < 2:
            raise self._error(f"holds {', '.join(lengths) or 'nothing'}", _MAKE)
        if len(set(lengths.values())) > 1:
            raise self._error(f"lengths differ: {lengths}", _MAKE)
        self._rows = {int(number): row for row, number in enumerate(self._numbers())}

    def _numbers(self) -> NDArray[Any]:
        numbers = self._read(self._parts["number"], None)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iuf":
            raise self._error(f"number: expected whole numbers [n], got {numbers.dtype} {numbers.shape}", _MAKE)
        strange = numbers[~(np.isfinite(numbers) & (numbers >= 1) & (numbers == np.trunc(numbers)))]
        if len(strange):
            raise self._error(f"number: expected whole numbers from 1, got {strange[0]}", _MAKE)
        unique, times = np.unique(numbers, return_counts=True)
        if (times > 1).any():
            raise self._error(f"has slice {int(unique[times > 1][0])} twice", "write each slice once")
        return numbers

    def predict_slices(self, numbers: NDArray[np.int64], images: NDArray[np.float32]) -> Predictions:
        """Predictions of the slices with these numbers [n]; the images [n, h, w] are not looked at.

        Raises:
            PredictionError: The file lacks a slice, or its masks have another size than the images.
        """
        self.require_slices(numbers)
        rows = np.array([self._rows[int(number)] for number in numbers], dtype=np.int64)
        mask = self._parts.get("mask_prob")
        if mask is not None and mask.shape[1:] != images.shape[1:]:
            raise self._error(
                f"holds masks of {mask.shape[1:]}, the slices are {images.shape[1:]}",
                f"declare image_size={mask.shape[1]} in @case" if len(mask.shape) == 3 else _MAKE,
            )
        classes = self._parts.get("class_prob")
        return Predictions(*(None if part is None else self._read(part, rows) for part in (mask, classes)))

    def require_slices(self, numbers: NDArray[np.int64], kind: str = "slices") -> None:
        """Refuse slices of which the file has no prediction.

        Args:
            numbers: Of the slices, int64 [n].
            kind: What they are, for the message: "test slices".

        Raises:
            PredictionError: It lacks some; how many, and the first of them are named.
        """
        wanted = np.unique(numbers).tolist()
        missing = [number for number in wanted if number not in self._rows]
        if missing:
            named = ", ".join(map(str, missing[:_NAMED])) + (" …" if len(missing) > _NAMED else "")
            raise self._error(
                f"has no prediction for {len(missing)} of {len(wanted)} {kind}: {named}",
                f"predict all {kind}; numbers are those of the files (7.mat is 7), as in Dataset.numbers",
            )

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        """There is nothing to go by but images, so this always raises.

        Raises:
            PredictionError: Always.
        """
        raise self._error("saved predictions are found by slice number, not by image", "call predict_slices")

    def _read(self, part: "_Part", rows: NDArray[np.int64] | None) -> NDArray[Any]:
        try:
            return part.read(rows)
        except (OSError, DamagedFileError) as error:
            raise self._error(f"cannot be read: {error}", _FORMAT) from error

    def _error(self, problem: str, mend: str) -> PredictionError:
        return PredictionError(problem, where=self.path, mend=mend)


def save_predictions(
    path: Path | str,
    dataset: Dataset,
    predictor: Predictor,
    positions: NDArray[np.int64] | None = None,
    batch_size: int = 16,
) -> Path:
    """Predict slices and write them to a `.npz` file that `SavedPredictions` reads; the file appears when it is whole.

    Args:
        path: The file; ends in `.npz`.
        dataset: The slices.
        predictor: Predicts them.
        positions: Which slices, 0-based; all by default.
        batch_size: Slices handed to `predict` at once.

    Raises:
        PredictionError: The path has another ending, there are no slices, or only some have masks or classes.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise PredictionError(f"expected a file ending in .npz, got {path.name}", where=path)
    at = np.arange(len(dataset)) if positions is None else np.asarray(positions)
    batches = [at[start : start + batch_size] for start in range(0, len(at), batch_size)]
    said = [
        ask(predictor, dataset.numbers[batch], np.ascontiguousarray(dataset.images[batch], dtype=np.float32))
        for batch in batches
    ]
    parts = {name: [getattr(p, name) for p in said] for name in ("mask_prob", "class_prob")}
    if not said or any(len({part is None for part in rows}) > 1 for rows in parts.values()):
        raise PredictionError("nothing to save, or masks or classes in some batches only", where=path)
    there: dict[str, Any] = {name: np.concatenate(rows) for name, rows in parts.items() if rows[0] is not None}
    npz.write_npz(path, {"number": dataset.numbers[at], **there})
    return path


class _Part(Protocol):
    """One array of a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self, rows: NDArray[np.int64] | None) -> NDArray[Any]:
        """These rows, any of them as often as asked for; None: all."""


@dataclass(frozen=True)
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
            unique, back = np.unique(rows, return_inverse=True)  # HDF5 wants them in order and once each
            return np.asarray(found[unique])[back]


def _open(path: Path) -> Mapping[str, _Part]:
    names = ("number", "mask_prob", "class_prob")
    try:
        if not path.is_file():
            raise PredictionError("there is no such file", where=path, mend=_MAKE)
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"PK":
            return {name: _InMemory(array) for name, array in npz.read_npz(path, (), names).items()}
        return _open_hdf5(path, names)
    except (OSError, DamagedFileError) as error:
        raise PredictionError(f"cannot be read: {error}", where=path, mend=_FORMAT) from error


def _open_hdf5(path: Path, names: tuple[str, ...]) -> Mapping[str, _Part]:
    from btlib import hdf5

    with hdf5.reading(path) as file:
        found = {name: hdf5.dataset(file, name) for name in names}
        return {name: _InHdf5(path, name, part.shape) for name, part in found.items() if part is not None}
