"""Tables of images with masks; shared by the layouts that differ in their file types only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from btlib.data.layouts.layout import Options, join_names
from btlib.data.layouts.mask_values import MaskFacts, scan_masks, structures_by_value
from btlib.data.layouts.pairing import Pair, pairs_of
from btlib.data.layouts.walk import facts_of
from btlib.data.layouts.writing import Content, task_name
from btlib.data.sources.table.metadata import Table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import TaskFile
from btlib.errors import DataError

OPTIONS = frozenset({"patient", "label", "images", "masks", "channels", "structures", "mask_threshold", "blank_mask"})
"""Options that such layouts use."""


@dataclass(frozen=True)
class Facts:
    """Facts of the images that a layout knows besides their paths. Options of the user come first.

    Attributes:
        labels: Class of each image; empty if unknown.
        patients: Patient of each image; empty if unknown.
        volumes: Volume of each image; empty if there are none.
        task: Fields of `task.toml`.
        notes: Notes for the user.
    """

    labels: Sequence[str] = ()
    patients: Sequence[str] = ()
    volumes: Sequence[str] = ()
    task: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()


FindFacts = Callable[[Sequence[Pair], Mapping[str, MaskFacts]], Facts]
"""Function that returns the facts of some pairs, from the pairs and the facts of their mask files."""


def read_pairs(folder: Path, names: Sequence[str], options: Options, find: FindFacts) -> Content:
    """Read images with masks.

    Args:
        folder: The source folder.
        names: Relative paths of images and masks, in the order of the samples.
        options: Options of the import.
        find: Function that finds what the layout knows besides the paths.

    Raises:
        DataError: The folder is incomplete or contradictory. One error names all faults.
    """
    if not names:
        raise DataError("found no images", where=folder, hint="name the folder of the data, unpacked")
    pairs = pairs_of(names, options, folder)
    masks = scan_masks([name for pair in pairs for of in pair.masks.values() for name in of], folder)
    known = find(pairs, masks)
    blank = [""] * len(pairs)
    files = [pair.file(options.channels) for pair in pairs]
    labels = facts_of(files, options.label, "label", folder) if options.label else known.labels or blank
    patients = facts_of(files, options.patient, "patient", folder) if options.patient else known.patients or blank
    by_file = options.structures if any(name for pair in pairs for name in pair.masks) else ()
    rows = [
        Row(
            0,
            file,
            pair.cells(by_file) if masks else (),
            label,
            patient,
            volume,
            pair.part,
            channels=tuple(pair.images[name] for name in options.channels[1:]),
        )
        for pair, file, label, patient, volume in zip(
            pairs, files, labels, patients, known.volumes or blank, strict=True
        )
    ]
    table = Table(tuple(rows), tuple(by_file), bool(masks) and not by_file, any(labels), options.channels[1:])
    task = _task(masks, table, known, options, folder)
    return Content(table, task, (*known.notes, *_blank(table, options, folder)))


def _task(facts: dict[str, MaskFacts], table: Table, known: Facts, options: Options, folder: Path) -> TaskFile:
    given = {"name": task_name(options.name, folder), "blank_mask": options.blank_mask, **known.task}
    if options.channels:
        given["channels"] = options.channels
    if options.mask_threshold is not None:
        given["mask_threshold"] = options.mask_threshold
        given |= {"structures": options.structures} if options.structures and table.has_mask else {}
    elif table.has_mask:
        values = structures_by_value(facts, options.structures or given.pop("structures", ()), folder)
        if values:
            given["mask_values"] = values
        elif names := options.structures or known.task.get("structures"):
            given["structures"] = names
    return TaskFile.model_validate(given)


def _blank(table: Table, options: Options, folder: Path) -> list[str]:
    """Return a note about images without a mask; raises DataError if the user has not said what they mean."""
    blank = [row.file for row in table.rows if not all(row.masks)]
    if not blank:
        return []
    if options.blank_mask is None:
        hint = "add --blank-mask empty (the structure is absent) or --blank-mask unlabelled (leave these images out)"
        raise DataError(f"{len(blank)} images have no mask: {join_names(blank)}", where=folder, hint=hint)
    return [f"{len(blank)} images have no mask, which means: {options.blank_mask}"]
