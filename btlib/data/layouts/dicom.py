"""DICOM series, with masks in files of equal names, as slices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from btlib.data.layouts.dicom_headers import DicomFacts, read_headers
from btlib.data.layouts.images_and_masks import OPTIONS, Facts, read_pairs
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout, join_names
from btlib.data.layouts.mask_values import MaskFacts
from btlib.data.layouts.pairing import Pair
from btlib.data.layouts.volumes import every
from btlib.data.layouts.walk import files_of
from btlib.data.layouts.writing import Content
from btlib.data.sources.table.image_files import kind_of
from btlib.data.sources.table.row import UNION, Row
from btlib.errors import DataError


class DicomSeries(TableLayout):
    """Series; the tag PatientID is the patient, and the series is the volume, in the order of its positions."""

    summary = "DICOM series, with masks of the same names (PNG, DICOM …) or --label; patient and spacing from the tags"
    options = OPTIONS | {"slices"}

    def recognises(self, folder: Path) -> bool:
        """Whether the folder has files with a suffix of DICOM."""
        return folder.is_dir() and any("." in name.rpartition("/")[2] for name in files_of(folder, {"dicom"}))

    def read(self, source: Path, options: Options) -> Content:
        """Read the headers of all files and list the slices."""
        step = every(options.slices)
        candidates = files_of(source, {"dicom", "raster", "array"})
        headers = read_headers([name for name in candidates if kind_of(name) == "dicom"], source)
        names = [name for name in candidates if name in headers or kind_of(name) != "dicom"]
        scanned: dict[str, MaskFacts] = {}

        def find(pairs: Sequence[Pair], masks: Mapping[str, MaskFacts]) -> Facts:
            scanned.update(masks)
            return _facts(pairs, headers, options, source)

        content = read_pairs(source, names, options, find)
        order = _ordered(content.table.rows, headers)
        chosen = _chosen(order, headers, scanned, step)
        if not chosen:
            raise DataError("no slice is chosen", where=source, hint="choose --slices all")
        ignored = [name for name in candidates if name not in names]
        notes = [f"{len(ignored)} files are no DICOM files and are left out: {join_names(ignored)}"] if ignored else []
        return replace(content, table=replace(content.table, rows=tuple(chosen)), notes=(*content.notes, *notes))


def _facts(pairs: Sequence[Pair], headers: Mapping[str, DicomFacts], options: Options, folder: Path) -> Facts:
    files = [pair.file(options.channels) for pair in pairs]
    strange = [name for pair in pairs for name in pair.images.values() if name not in headers]
    if strange:
        problem = f"{len(strange)} images are no DICOM files: {join_names(strange)}"
        raise DataError(problem, where=folder, hint="name the folder of the masks with --masks, or remove these files")
    own = [headers[name] for name in files]
    if blank := [name for name, one in zip(files, own, strict=True) if not one.patient and not options.patient]:
        problem = f"{len(blank)} of {len(files)} files have a blank PatientID: {join_names(blank)}"
        hint = "take the patient from the path: --patient folder, or a regular expression"
        raise DataError(problem, where=folder, hint=hint)
    notes = []
    patients = [one.patient for one in own]
    if not options.patient:
        notes.append(f"{len(set(patients))} patients are taken from the tag PatientID; --patient states another rule")
    volumes = [one.series or name.rpartition("/")[0] for name, one in zip(files, own, strict=True)]
    return Facts(patients=patients, volumes=volumes if all(volumes) else (), notes=notes)


def _ordered(rows: Sequence[Row], headers: Mapping[str, DicomFacts]) -> list[Row]:
    """Return the rows with the slices of each volume in the order of their positions, otherwise of their numbers."""
    of_volume: dict[str, list[Row]] = {}
    for row in rows:
        of_volume.setdefault(row.volume, []).append(row)
    found = []
    for members in of_volume.values():
        known = all(headers[row.file].position == headers[row.file].position for row in members)
        found += sorted(members, key=lambda row: headers[row.file].position if known else headers[row.file].number)
    return found


def _chosen(
    rows: Sequence[Row], headers: Mapping[str, DicomFacts], masks: Mapping[str, MaskFacts], step: int | None
) -> list[Row]:
    """Return the chosen slices; each frame of a file is a slice."""
    frames = [
        row._replace(slice=frame) if headers[row.file].frames > 1 else row
        for row in rows
        for frame in range(headers[row.file].frames)
    ]
    if step is None:
        return [row for row in frames if _has_mask(row, masks)]
    seen: dict[str, int] = {}
    chosen = []
    for row in frames:
        at = seen[row.volume] = seen.get(row.volume, -1) + 1
        if at % step == 0:
            chosen.append(row)
    return chosen


def _has_mask(row: Row, masks: Mapping[str, MaskFacts]) -> bool:
    names = [name for cell in row.masks if cell for name in cell.split(UNION)]
    return any(masks[name].values - {0} for name in names)


LAYOUTS.add("dicom", DicomSeries())
