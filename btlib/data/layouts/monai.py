"""Data lists of MONAI: a JSON file with the keys training, validation and test, whose items name files.

The format is that of `monai.data.load_decathlon_datalist`: "image" is a file or a list of files (channels), "label" a
mask file, a class or both in a list of items. See https://docs.monai.io, module monai.data.decathlon_datalist.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from btlib.data.faults import joined
from btlib.data.layouts.cases_file import own_task
from btlib.data.layouts.json_file import file_in, read_object
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout
from btlib.data.layouts.mask_values import scan_masks, structures_by_value
from btlib.data.layouts.volumes import orientation_notes, sliced
from btlib.data.layouts.walk import facts_of
from btlib.data.layouts.writing import Content, task_name
from btlib.data.sources.table.image_files import kind_of
from btlib.data.sources.table.metadata import Table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import TaskFile
from btlib.errors import DataError, OptionError

_SECTIONS = {"training": "train", "validation": "val", "test": "test", "testing": "test"}
_MASK_KEYS = ("mask", "seg", "segmentation", "label")
_CLASS_KEYS = ("class", "label")
_PATIENT_KEYS = ("patient", "patient_id", "subject", "subject_id")
_HINT = "correct the data list: each item names image and label"


class MonaiDatalist(TableLayout):
    """Data list of MONAI; items without a label cannot be scored and are left out."""

    summary = "data list of MONAI: a JSON file (or the folder with it) with training, validation and test"
    options = frozenset({"patient", "label", "channels", "structures", "axis", "slices"})

    def recognises(self, folder: Path) -> bool:
        """Whether the folder has exactly one JSON file with the key training."""
        return folder.is_dir() and len(_lists(folder)) == 1

    def read(self, source: Path, options: Options) -> Content:
        """Read the items of the list."""
        folder = source.parent if source.is_file() else source
        found = [(source, read_object(source))] if source.is_file() else _lists(folder)
        if len(found) != 1:
            problem = f"expected one data list, a JSON file with the key training, found {len(found)}"
            raise DataError(problem, where=folder, hint="leave one data list in the folder")
        path, value = found[0]
        own = own_task(value)
        rows, notes = _rows(value, folder, path)
        rows = _with_facts(rows, options, folder)
        masks = scan_masks([row.masks[0] for row in rows], folder) if rows[0].masks else {}
        about = _about(value, options, folder) | own
        if masks and not own:
            about |= _structures(value, options, masks, folder)
        n = len(rows[0].channels) + 1
        channels = options.channels or tuple(map(str, value.get("channel_names") or ())) or _numbered(n)
        if n > 1 or value.get("channel_names"):
            if n > 1 and len(channels) != n:
                raise OptionError(f"expected {n} names, got {len(channels)}", where="--channels")
            about["channels"] = channels
        if kind_of(rows[0].file) == "nifti":
            rows = [row if own else row._replace(volume=row.volume or row.file) for row in rows]
            notes += orientation_notes(rows, folder)
            rows = sliced(rows, folder, options.axis, options.slices)
        table = Table(tuple(rows), (), bool(masks), bool(rows[0].label), channels[1:] if n > 1 else ())
        return Content(table, TaskFile.model_validate(about), tuple(notes))


def _numbered(n: int) -> tuple[str, ...]:
    return tuple(f"channel {k + 1}" for k in range(n))


def _lists(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Return the data lists of a folder; raises DataError if its only JSON file is damaged."""
    paths = sorted(folder.glob("*.json"))
    found = []
    for path in paths:
        try:
            value = read_object(path)
        except DataError:
            if len(paths) == 1:
                raise
            continue
        if isinstance(value.get("training"), list):
            found.append((path, value))
    return found


def _about(value: Mapping[str, Any], options: Options, folder: Path) -> dict[str, Any]:
    """Fields of `task.toml` that the list states."""
    name = value.get("name")
    licence, citation = value.get("licence"), value.get("reference")
    return {
        "name": task_name(options.name or (name if isinstance(name, str) and name else None), folder),
        "licence": licence if isinstance(licence, str) else None,
        "citation": citation if isinstance(citation, str) else None,
    }


def _structures(value: Mapping[str, Any], options: Options, masks: Any, folder: Path) -> dict[str, Any]:
    """Structures: those that the user names, those of "labels" of the list, or those that the masks contain."""
    named = value.get("labels")
    if not options.structures and isinstance(named, dict) and all(str(key).isdecimal() for key in named):
        values = {str(name): int(key) for key, name in named.items() if int(key) != 0}
        if values:
            return {"mask_values": values}
    found = structures_by_value(masks, options.structures, folder)
    if found:
        return {"mask_values": found}
    return {"structures": options.structures} if options.structures else {}


def _rows(value: Mapping[str, Any], folder: Path, path: Path) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    faults: list[DataError] = []
    unlabelled = 0
    for section, part in _SECTIONS.items():
        items = value.get(section, [])
        if not isinstance(items, list):
            raise DataError(f"{section}: expected a list, got {type(items).__name__}", where=path, hint=_HINT)
        for number, item in enumerate(items):
            if not isinstance(item, dict) or not any(key in item for key in (*_MASK_KEYS, *_CLASS_KEYS)):
                unlabelled += section != "training"
                if section == "training":
                    faults.append(
                        DataError(f"training {number}: expected image and label, got {item!r:.80}", where=path)
                    )
                continue
            try:
                rows.append(_row(item, f"{section} {number}", part, folder, value))
            except DataError as error:
                faults.append(DataError(error.problem, where=path))
    faults += _uneven(rows, path)
    if faults:
        raise joined(faults, path, _HINT, what="faults")
    if not rows:
        raise DataError("the list has no items with labels", where=path, hint=_HINT)
    return rows, [f"{unlabelled} items have no label, cannot be scored and are left out"] if unlabelled else []


def _row(item: Mapping[str, Any], where: str, part: str, folder: Path, value: Mapping[str, Any]) -> Row:
    images = item.get("image")
    files = [file_in(one, folder, f"{where}: image") for one in (images if isinstance(images, list) else [images])]
    mask = next((item[key] for key in _MASK_KEYS if _is_file(item.get(key))), None)
    label = next((item[key] for key in _CLASS_KEYS if key in item and not _is_file(item[key])), None)
    if isinstance(mask, list):
        mask = mask[0] if len(mask) == 1 else mask
    if label is not None and (isinstance(label, bool | float) or not isinstance(label, str | int)):
        raise DataError(f"{where}: label: expected a file, a whole number or a class, got {label!r:.80}")
    patient = next((str(item[key]) for key in _PATIENT_KEYS if item.get(key) not in (None, "")), "")
    return Row(
        0,
        files[0],
        (file_in(mask, folder, f"{where}: label"),) if mask is not None else (),
        "" if label is None else _class(label, value),
        patient,
        str(item.get("volume") or ""),
        part,
        channels=tuple(files[1:]),
    )


def _is_file(value: object) -> bool:
    if isinstance(value, list):
        return len(value) > 0 and all(map(_is_file, value))
    return isinstance(value, str) and bool(PurePosixPath(value).suffix) and kind_of(value) is not None


def _class(label: str | int, value: Mapping[str, Any]) -> str:
    """Name of a class: "class_names" of the list has the names of numbers."""
    names = value.get("class_names")
    if isinstance(label, int) and isinstance(names, list) and 0 <= label < len(names):
        return str(names[label])
    return str(label)


def _uneven(rows: Sequence[Row], path: Path) -> list[DataError]:
    """Faults of items that do not have what the first one has."""
    return [
        DataError(f"{row.file}: expected {what} as in the first item", where=path)
        for row in rows
        for what, one, first in (
            ("as many images", len(row.channels), len(rows[0].channels)),
            ("a mask file, or none,", len(row.masks), len(rows[0].masks)),
            ("a class, or none,", bool(row.label), bool(rows[0].label)),
        )
        if one != first
    ]


def _with_facts(rows: list[Row], options: Options, folder: Path) -> list[Row]:
    """Return the rows with the classes and patients that the user's rules find."""
    files = [row.file for row in rows]
    if options.label:
        labels = facts_of(files, options.label, "label", folder)
        rows = [row._replace(label=label) for row, label in zip(rows, labels, strict=True)]
    if options.patient:
        patients = facts_of(files, options.patient, "patient", folder)
        rows = [row._replace(patient=patient) for row, patient in zip(rows, patients, strict=True)]
    return rows


LAYOUTS.add("monai", MonaiDatalist())
