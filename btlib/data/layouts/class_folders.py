"""Images in folders that are named by their classes."""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

from btlib.data.faults import joined
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout, join_names
from btlib.data.layouts.walk import PARTS, common_folders, facts_of, files_of, stem
from btlib.data.layouts.writing import Content, task_name
from btlib.data.sources.table.image_files import Kind
from btlib.data.sources.table.metadata import Table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import TaskFile
from btlib.errors import DataError

_KINDS: set[Kind] = {"raster", "array", "dicom"}
_MASK = re.compile(r".+[_\- ](mask|seg|segmentation)([_\- ]?\d+)?", re.IGNORECASE)


class ClassFolders(TableLayout):
    """Folders of classes, optionally in folders of parts: `train/benign/1.png`."""

    summary = "folders of classes, such as benign/1.png, or in parts, such as train/benign/1.png"
    options = frozenset({"patient"})

    def recognises(self, folder: Path) -> bool:
        """Whether all images lie in at least two folders of classes."""
        names = _images(folder) if folder.is_dir() else []
        found = [_place(name, common_folders(names)) for name in names]
        return len({label for _, label in found}) > 1 and all(label for _, label in found)

    def read(self, source: Path, options: Options) -> Content:
        """Read the class and the part of each image from its folders."""
        names = _images(source)
        if not names:
            raise DataError("found no images", where=source, hint="name the source of the data, unpacked")
        common = common_folders(names)
        places = [_place(name, common) for name in names]
        _check(names, places, source)
        patients = facts_of(names, options.patient, "patient", source)
        rows = [
            Row(0, name, label=label, patient=patient, part=part)
            for name, (part, label), patient in zip(names, places, patients, strict=True)
        ]
        return Content(
            Table(tuple(rows), (), False, True), TaskFile(name=task_name(options.name, source)), _notes(rows)
        )


def _images(folder: Path) -> list[str]:
    names = files_of(folder, _KINDS)
    return [name for name in names if "." in PurePosixPath(name).name]  # a file without suffix is no image here


def _place(name: str, common: int) -> tuple[str, str]:
    """Return the part and the class of an image; "" if its folders show none."""
    folders = PurePosixPath(name).parts[common:-1]
    part = PARTS.get(folders[0].lower(), "") if folders else ""
    rest = folders[1:] if part else folders
    return part, rest[0] if rest else ""


def _check(names: list[str], places: list[tuple[str, str]], folder: Path) -> None:
    """Raise an error if images lie in no class, beside folders of parts, or look like masks."""
    classes = {label for _, label in places}
    hint = "expected CLASS/1.png …, or train/CLASS/1.png and test/CLASS/1.png …"
    faults = [
        DataError(f"{name}: lies in no folder of a class", where=folder)
        for name, (_, label) in zip(names, places, strict=True)
        if not label
    ]
    if not faults and any(part for part, _ in places):
        beside = [(name, label) for name, (part, label) in zip(names, places, strict=True) if not part]
        faults = [DataError(f"{name}: lies beside the folders of parts", where=folder) for name, _ in beside]
    if masks := [name for name in names if _MASK.fullmatch(stem(name))]:
        problem = f"{len(masks)} files look like masks: {join_names(masks)}"
        raise DataError(problem, where=folder, hint="import with the layout pairs and --label folder")
    if faults:
        raise joined(faults, folder, hint, what="faults")
    if len(classes) < 2:
        raise DataError(f"found one class only: {classes.pop()}", where=folder, hint=hint)


def _notes(rows: list[Row]) -> tuple[str, ...]:
    """Note the classes of each part, if parts have different ones: names may be misspelt."""
    of_part: dict[str, set[str]] = {}
    for row in rows:
        of_part.setdefault(row.part, set()).add(row.label)
    every = set().union(*of_part.values())
    missing = [
        f"the part {part} has no images of: {join_names(sorted(every - of))}"
        for part, of in of_part.items()
        if every - of
    ]
    counts = ", ".join(f"{label} {n}" for label, n in sorted(Counter(row.label for row in rows).items()))
    return (f"images by class: {counts}", *missing)


LAYOUTS.add("class-folders", ClassFolders())
