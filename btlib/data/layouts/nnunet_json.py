"""`dataset.json` of nnU-Net, versions 1 and 2, and of the Medical Segmentation Decathlon.

See https://github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md and region_based_training.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from btlib.data.layouts.cases_file import own_task
from btlib.data.layouts.json_file import read_object
from btlib.errors import DataError

FILE = "dataset.json"
_HINT = "correct dataset.json: see documentation/dataset_format.md of nnU-Net"
_IGNORE = "ignore"


@dataclass(frozen=True)
class Description:
    """Content of `dataset.json`.

    Attributes:
        name: Name of the data set; None if there is none.
        channels: Names of the channels, in their order.
        values: Structure → its values in a label file, in the order of their first values; without the background.
        background: Values of the background.
        ignore: Value of pixels that are neither trained nor evaluated; None if there is none.
        ending: End of file names, such as ".png"; None in version 1.
        count: Stated number of training cases; None if it is not stated.
        files: Case → files of its channels and its label file, if the file lists them (version 2, field "dataset").
        training: Listed training cases, as entries of version 1: "image" and "label".
        test: Listed test images of version 1.
        licence: Licence of the data.
        citation: Reference of the data.
        own: Fields of `task.toml`, if btlib wrote the file (`own_task`).
    """

    name: str | None
    channels: tuple[str, ...]
    values: Mapping[str, tuple[int, ...]]
    background: tuple[int, ...]
    ignore: int | None
    ending: str | None
    count: int | None
    files: Mapping[str, Mapping[str, Any]]
    training: tuple[Any, ...]
    test: tuple[Any, ...]
    licence: str | None
    citation: str | None
    own: Mapping[str, Any]


def describe(folder: Path) -> Description:
    """Read `dataset.json`.

    Raises:
        DataError: The file is missing, damaged, or has an invalid field.
    """
    path = folder / FILE
    value = read_object(path)
    try:
        labels = _labels(value)
        ignore = labels.pop(_IGNORE, None)
        background = next((name for name, of in labels.items() if of == (0,)), None)
        if background is None:
            raise DataError("labels: no label has the value 0, the background")
        del labels[background]
        if not labels:
            raise DataError("labels: expected at least one structure beside the background")
        return Description(
            name=_text(value, "name"),
            channels=_channels(value),
            values=dict(sorted(labels.items(), key=lambda item: item[1])),
            background=(0,),
            ignore=None if ignore is None else ignore[0],
            ending=_text(value, "file_ending"),
            count=_count(value),
            files=_of_type(value, "dataset", dict, {}),
            training=tuple(_of_type(value, "training", list, [])),
            test=tuple(_of_type(value, "test", list, [])),
            licence=_text(value, "licence") or _text(value, "license"),
            citation=_text(value, "reference"),
            own=own_task(value),
        )
    except DataError as error:
        raise DataError(error.problem, where=path, hint=error.hint or _HINT) from error


def _of_type(value: Mapping[str, Any], field: str, kind: type, default: Any) -> Any:
    found = value.get(field, default)
    if not isinstance(found, kind):
        raise DataError(f"{field}: expected a {'list' if kind is list else 'JSON object'}, got {found!r:.80}")
    return found


def _text(value: Mapping[str, Any], field: str) -> str | None:
    found = value.get(field)
    return found if isinstance(found, str) and found.strip() else None


def _count(value: Mapping[str, Any]) -> int | None:
    found = value.get("numTraining")
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise DataError(f"numTraining: expected a whole number, got {found!r:.80}")
    return found


def _channels(value: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of "channel_names" (version 2) or "modality" (version 1), by their numbers."""
    field = "channel_names" if "channel_names" in value else "modality"
    named = _of_type(value, field, dict, None)
    numbers = sorted(int(key) for key in named if key.isdecimal() and key.isascii())
    if not named or len(numbers) != len(named) or numbers != list(range(len(named))):
        raise DataError(f"{field}: expected the keys 0, 1 …, got {', '.join(map(str, named)) or 'none'}")
    names = [str(named[str(number)]) for number in numbers]
    if "" in names:
        raise DataError(f"{field}: a channel has no name")
    plain = [name.replace("/", " ") for name in names]
    return tuple(f"{name} {k}" if plain.count(name) > 1 else name for k, name in enumerate(plain))


def _labels(value: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Values of each label, from {"name": 1 or [1, 2]} (version 2) or {"1": "name"} (version 1)."""
    stated = _of_type(value, "labels", dict, None)
    if stated and all(isinstance(of, str) for of in stated.values()):
        inverted = {name: key for key, name in stated.items()}
        if len(inverted) != len(stated):
            raise DataError("labels: a name occurs more than once")
        stated = inverted
    return {str(name).replace("/", " "): _values(name, of) for name, of in stated.items()}


def _values(name: str, of: Any) -> tuple[int, ...]:
    given = of if isinstance(of, list) else [of]
    try:
        values = tuple(sorted(int(one) for one in given if not isinstance(one, float | bool)))
    except (TypeError, ValueError) as error:
        raise DataError(f"labels: {name}: expected whole numbers, got {of!r:.80}") from error
    if not values or len(values) != len(given) or values[0] < 0:
        raise DataError(f"labels: {name}: expected whole numbers from 0, got {of!r:.80}")
    return values
