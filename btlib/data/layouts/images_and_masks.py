"""Tables of images with masks; shared by the layouts that differ in their file types only."""

from collections.abc import Collection, Sequence
from pathlib import Path

from btlib.data.layouts.figshare_copy import recognise_copy
from btlib.data.layouts.layout import Options, join_names
from btlib.data.layouts.mask_values import MaskFacts, scan_masks, structures_by_value
from btlib.data.layouts.pairing import Pair, pairs_of
from btlib.data.layouts.walk import facts_of, files_of
from btlib.data.layouts.writing import Content, task_name
from btlib.data.sources.table.image_files import Kind
from btlib.data.sources.table.metadata import Table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import TaskFile
from btlib.data.sources.tasks import FIGSHARE
from btlib.errors import DataError

OPTIONS = frozenset({"patient", "label", "images", "masks", "channels", "structures", "blank_mask"})
"""Options that such layouts use."""


def read_pairs(folder: Path, kinds: Collection[Kind], options: Options, *, copy_of_figshare: bool = False) -> Content:
    """Read images with masks.

    Args:
        folder: The source folder.
        kinds: Types of files of images and masks.
        options: Options of the import.
        copy_of_figshare: Whether slices of the Figshare data set may be recognised.

    Raises:
        DataError: The folder is incomplete or contradictory. One error names all faults.
    """
    names = files_of(folder, kinds)
    if not names:
        raise DataError("found no images", where=folder, hint="name the folder of the data, unpacked")
    pairs = pairs_of(names, options, folder)
    facts = scan_masks([name for pair in pairs for of in pair.masks.values() for name in of], folder)
    files = [pair.file(options.channels) for pair in pairs]
    labels = facts_of(files, options.label, "label", folder)
    patients = facts_of(files, options.patient, "patient", folder)
    notes = []
    known = recognise_copy(files, _single(pairs, facts), folder) if copy_of_figshare and options.recognise else None
    if known is not None:
        labels = labels if options.label else list(known.labels)
        patients = patients if options.patient else list(known.patients)
        notes.append(known.note)
    by_file = options.structures if any(name for pair in pairs for name in pair.masks) else ()
    rows = [
        Row(0, file, pair.cells(by_file), label, patient, part=pair.part, channels=_others(pair, options))
        for pair, file, label, patient in zip(pairs, files, labels, patients, strict=True)
    ]
    table = Table(tuple(rows), tuple(by_file), not by_file, any(labels), options.channels[1:])
    task = _task(facts, table, options, folder)
    if known is not None and not options.structures:
        about = {"structures": FIGSHARE.structures, "licence": FIGSHARE.licence, "citation": FIGSHARE.citation}
        task = task.model_copy(update=about)
    return Content(table, task, (*notes, *_blank(table, options, folder)))


def _others(pair: Pair, options: Options) -> tuple[str, ...]:
    return tuple(pair.images[name] for name in options.channels[1:])


def _single(pairs: Sequence[Pair], facts: dict[str, MaskFacts]) -> list[MaskFacts | None]:
    """Facts of the mask of each image that has exactly one."""
    files = [[name for of in pair.masks.values() for name in of] for pair in pairs]
    return [facts[names[0]] if len(names) == 1 else None for names in files]


def _task(facts: dict[str, MaskFacts], table: Table, options: Options, folder: Path) -> TaskFile:
    given: dict[str, object] = {"name": task_name(options.name, folder), "blank_mask": options.blank_mask}
    if options.channels:
        given["channels"] = options.channels
    if table.has_mask:
        if values := structures_by_value(facts, options.structures, folder):
            given["mask_values"] = values
        elif options.structures:
            given["structures"] = options.structures
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
