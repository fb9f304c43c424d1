"""NIfTI volumes with masks, cut into slices."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from btlib.data.layouts.images_and_masks import OPTIONS, Facts, read_pairs
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout
from btlib.data.layouts.mask_values import MaskFacts
from btlib.data.layouts.pairing import Pair
from btlib.data.layouts.volumes import orientation_notes, sliced
from btlib.data.layouts.walk import PARTS, files_of
from btlib.data.layouts.writing import Content
from btlib.data.sources.table.image_files import require_packages

_BIDS = re.compile(r"(?:^|/)(sub-[A-Za-z0-9]+)")


class NiftiVolumes(TableLayout):
    """Volumes; without a rule for patients they are found by `sub-…`, by folders, or each volume is a patient."""

    summary = "NIfTI volumes and masks (BraTS, BIDS …), cut into slices; spacing from the headers"
    options = OPTIONS | {"axis", "slices"}

    def recognises(self, folder: Path) -> bool:
        """Whether the folder has NIfTI files and no `dataset.json`."""
        return folder.is_dir() and not (folder / "dataset.json").exists() and bool(files_of(folder, {"nifti"}))

    def read(self, source: Path, options: Options) -> Content:
        """Read the volumes and list their slices."""
        require_packages({"nifti"})

        def find(pairs: Sequence[Pair], masks: Mapping[str, MaskFacts]) -> Facts:
            known = _facts(pairs)
            return replace(known, notes=()) if options.patient else known

        content = read_pairs(source, files_of(source, {"nifti"}), options, find)
        notes = orientation_notes(content.table.rows, source)
        rows = sliced(content.table.rows, source, options.axis, options.slices)
        table = replace(content.table, rows=tuple(rows))
        return replace(content, table=table, notes=(*content.notes, *notes))


def _facts(pairs: Sequence[Pair]) -> Facts:
    keys = [pair.key for pair in pairs]
    subjects = [_BIDS.search(pair.file(tuple(pair.images))) for pair in pairs]
    folders = [_folder(key) for key in keys]
    if all(subjects):
        patients, rule = [match[1] for match in subjects if match], "the names sub-…"
    elif all(folders) and len(set(folders)) > 1:
        patients, rule = folders, "the folders"
    else:
        patients, rule = keys, "the files: each volume is a patient"
    note = f"{len(set(patients))} patients are taken from {rule}; --patient states another rule"
    return Facts(patients=patients, volumes=keys, notes=(note,))


def _folder(key: str) -> str:
    """The outermost folder of a volume that is not part of a split; "" if there is none."""
    return next((name for name in PurePosixPath(key).parts[:-1] if name.lower() not in PARTS), "")


LAYOUTS.add("nifti", NiftiVolumes())
