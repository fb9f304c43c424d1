"""nnU-Net raw data: `dataset.json`, `imagesTr`, `labelsTr`, `imagesTs`; 2D images and volumes, versions 1 and 2."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from btlib.data.faults import joined
from btlib.data.layouts.cases_file import CaseRow, read_cases
from btlib.data.layouts.ignored import without_ignored
from btlib.data.layouts.json_file import file_in
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout, join_names
from btlib.data.layouts.nnunet_json import FILE, Description, describe
from btlib.data.layouts.nnunet_splits import validation_cases
from btlib.data.layouts.volumes import orientation_notes, sliced
from btlib.data.layouts.walk import facts_of, files_of
from btlib.data.layouts.writing import Content, task_name
from btlib.data.sources.table.image_files import kind_of
from btlib.data.sources.table.metadata import Table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import BACKGROUND, TaskFile
from btlib.errors import DataError

_CHANNEL = re.compile(r"(.+)_([0-9]{4})")
_HINT = "complete the folder, or correct dataset.json"


@dataclass(frozen=True)
class _Case:
    """A case: its files, and its part of the data set."""

    name: str
    images: tuple[str, ...]
    mask: str
    part: str


class NnunetRaw(TableLayout):
    """Raw data of nnU-Net. Without labels, test images cannot be scored and are left out."""

    summary = "raw data of nnU-Net 1 and 2 or the Medical Segmentation Decathlon: dataset.json, imagesTr, labelsTr …"
    options = frozenset({"patient", "label", "axis", "slices", "ignore_label"})

    def recognises(self, folder: Path) -> bool:
        """Whether there are `dataset.json` and `imagesTr`, or a `dataset.json` that lists its files."""
        return (folder / FILE).is_file() and (folder / "imagesTr").is_dir()

    def read(self, source: Path, options: Options) -> Content:
        """Read the cases that `dataset.json` lists, or that the folders contain."""
        folder = source.parent if source.name == FILE else source
        if not (folder / FILE).is_file():
            hint = "name the folder of one data set, such as nnUNet_raw/Dataset001_NAME"
            raise DataError("there is no dataset.json", where=folder, hint=hint)
        about = describe(folder)
        cases, notes = _cases(folder, about)
        channels = _check_channels(cases, about, folder)
        exported = read_cases(folder)
        rows, more = _rows(cases, exported, options, folder)
        if kind_of(rows[0].file) == "nifti":
            more += orientation_notes(rows, folder)
            rows = sliced(rows, folder, options.axis, options.slices)
        values = {name: list(of) for name, of in about.values.items()}
        if about.ignore is not None:
            rows, ignored = without_ignored(rows, about.ignore, options.ignore_label, folder)
            values = {BACKGROUND: [*about.background, about.ignore], **values}
            more += ignored
        plain = (
            not about.own
            and [of for name, of in values.items()] == [[k + 1] for k in range(len(values))]
            and len(values) > 1
        )
        task = TaskFile.model_validate(
            {
                "name": task_name(options.name or about.name, folder),
                "channels": about.channels,
                "licence": about.licence,
                "citation": about.citation,
                **({"structures": tuple(values)} if plain else {"mask_values": values}),
                **about.own,
            }
        )
        table = Table(tuple(rows), (), True, bool(rows[0].label), channels)
        return Content(table, task, (*notes, *more))


def _rows(
    cases: Sequence[_Case], exported: Mapping[str, CaseRow], options: Options, folder: Path
) -> tuple[list[Row], list[str]]:
    """Return a row for each case. Unless the user says otherwise, each volume is a patient."""
    names = [case.images[0] for case in cases]
    volumes = kind_of(names[0]) == "nifti"
    known = [exported.get(case.name, CaseRow(case.name, "")) for case in cases]
    labels = facts_of(names, options.label, "label", folder) if options.label else [row.label for row in known]
    notes = []
    if options.patient:
        patients = facts_of(names, options.patient, "patient", folder)
    elif exported or not volumes:
        patients = [row.patient for row in known]
    else:
        patients = [case.name for case in cases]
        notes.append(f"each of the {len(cases)} volumes is taken for a patient; --patient states another rule")
    parts = _with_validation(cases, folder)
    rows = []
    for case, label, patient, part, row in zip(cases, labels, patients, parts, known, strict=True):
        volume = row.volume or (case.name if volumes and not exported else "")
        rows.append(Row(0, case.images[0], (case.mask,), label, patient, volume, part, channels=case.images[1:]))
    return rows, notes


def _with_validation(cases: Sequence[_Case], folder: Path) -> list[str]:
    """Return the part of each case; `splits_final.json`, if there is one, names the cases that validate."""
    validates = validation_cases(folder, [case.name for case in cases if case.part == "train"])
    return ["val" if case.part == "train" and case.name in validates else case.part for case in cases]


def _check_channels(cases: Sequence[_Case], about: Description, folder: Path) -> tuple[str, ...]:
    """Return the names of the channels after the first, if each has a file of its own."""
    n = len(about.channels)
    faults = [
        DataError(f"case {case.name}: expected {n} channels as in {FILE}, found {len(case.images)} files", where=folder)
        for case in cases
        if len(case.images) not in {n, len(cases[0].images) if len(cases[0].images) == 1 else n}
    ]
    if faults:
        raise joined(faults, folder, _HINT, what="faults")
    return about.channels[1:] if len(cases[0].images) == n else ()


def _cases(folder: Path, about: Description) -> tuple[list[_Case], list[str]]:
    """Return the cases that have labels, and notes about the others."""
    faults: list[DataError] = []
    train = list(_listed(folder, about, faults)) or list(_found(folder, about, "Tr", faults))
    scored = list(_found(folder, about, "Ts", faults)) if (folder / "labelsTs").is_dir() else []
    if about.count is not None and about.count != len(train):
        faults.append(
            DataError(f"numTraining is {about.count}, found {len(train)} training cases", where=folder / FILE)
        )
    names = {case.name for case in train}
    faults += [DataError(f"case {case.name}: trains and tests", where=folder) for case in scored if case.name in names]
    if faults:
        raise joined(faults, folder, _HINT, what="faults")
    if not train:
        raise DataError("found no training cases", where=folder / "imagesTr", hint=_HINT)
    notes = []
    if not scored and (folder / "imagesTs").is_dir() and (left := _images(folder, about, "imagesTs")):
        notes.append(f"{len(left)} test cases have no labels and are left out: {join_names(list(left))}")
    return [*train, *scored], notes


def _listed(folder: Path, about: Description, faults: list[DataError]) -> Iterator[_Case]:
    """Yield the training cases that `dataset.json` lists by their files."""
    for name, entry in about.files.items():
        if (case := _case(folder, name, entry, "images", faults)) is not None:
            yield case
    for number, entry in enumerate([] if about.files else about.training):
        if (case := _case(folder, f"training {number}", entry, "image", faults)) is not None:
            yield case


def _case(folder: Path, name: str, entry: Any, field: str, faults: list[DataError]) -> _Case | None:
    if not isinstance(entry, dict):
        faults.append(DataError(f"{name}: expected {field} and label, got {entry!r:.80}", where=folder / FILE))
        return None
    try:
        given = entry.get(field)
        images = [file_in(text, folder, f"{name}: {field}") for text in (given if isinstance(given, list) else [given])]
        mask = file_in(entry.get("label"), folder, f"{name}: label")
    except DataError as error:
        faults.append(DataError(error.problem, where=folder / FILE))
        return None
    if field == "image" and not (folder / images[0]).exists():
        images = _numbered(folder, images[0]) or images
    missing = [text for text in (*images, mask) if not (folder / text).exists()]
    faults += [DataError(f"{name}: {text} is missing", where=folder / FILE) for text in missing]
    return _Case(_split(mask)[0] if field == "image" else name, tuple(images), mask, "train")


def _numbered(folder: Path, name: str) -> list[str]:
    """Return the files of the channels, `x_0000.nii.gz` …, of an image that version 1 lists as `x.nii.gz`."""
    base, ending = _split(name)
    home = (folder / name).parent
    names = sorted(path.name for path in home.iterdir() if path.name.endswith(ending)) if home.is_dir() else []
    found = [one for one in names if (match := _CHANNEL.fullmatch(_split(one)[0])) and match[1] == base]
    return [PurePosixPath(name).with_name(one).as_posix() for one in found]


def _found(folder: Path, about: Description, part: str, faults: list[DataError]) -> Iterator[_Case]:
    """Yield the cases of the folders of images and labels; faults are missing files."""
    images = _images(folder, about, f"images{part}")
    masks = {_split(name)[0]: name for name in _names(folder, about, f"labels{part}")}
    single = sorted(masks.keys() - images.keys())
    faults += [DataError(f"labels{part}/{masks[case]}: has no image in images{part}", where=folder) for case in single]
    for case, files in images.items():
        if case not in masks:
            faults.append(DataError(f"images{part}: case {case} has no label file in labels{part}", where=folder))
        elif sorted(files) != list(range(len(files))):
            stated = ", ".join(f"{k:04d}" for k in sorted(files))
            faults.append(DataError(f"images{part}: case {case} has the channels {stated}", where=folder))
        else:
            names = tuple(f"images{part}/{files[k]}" for k in sorted(files))
            yield _Case(case, names, f"labels{part}/{masks[case]}", "train" if part == "Tr" else "test")


def _images(folder: Path, about: Description, home: str) -> dict[str, dict[int, str]]:
    """Return the files of each case by the numbers of their channels."""
    found: dict[str, dict[int, str]] = {}
    for name in _names(folder, about, home):
        match = _CHANNEL.fullmatch(_split(name)[0])
        case, channel = (match[1], int(match[2])) if match else (_split(name)[0], 0)
        found.setdefault(case, {})[channel] = name
    return found


def _names(folder: Path, about: Description, home: str) -> list[str]:
    """Return the files of a folder that have the stated ending, or a known one."""
    if not (folder / home).is_dir():
        return []
    if about.ending is not None and kind_of(f"x{about.ending}") is None:
        hint = "convert the files to .nii.gz, .png or .tif"
        raise DataError(f"file_ending {about.ending!r} is not supported", where=folder / FILE, hint=hint)
    names = files_of(folder / home, {"raster", "nifti"})
    return [name for name in names if "/" not in name and (about.ending is None or name.endswith(about.ending))]


def _split(name: str) -> tuple[str, str]:
    """Return the name of a file without folder and ending, and the ending."""
    base = PurePosixPath(name).name
    ending = ".nii.gz" if base.lower().endswith(".nii.gz") else PurePosixPath(base).suffix
    return base[: len(base) - len(ending)], ending


LAYOUTS.add("nnunet", NnunetRaw())
