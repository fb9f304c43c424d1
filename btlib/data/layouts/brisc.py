"""BRISC: `segmentation_task/{train,test}/{images,masks}` and `classification_task/{train,test}/CLASS`.

The two tasks contain the same images under the same names. Images of the class without a tumour have no mask.
See https://doi.org/10.48550/arXiv.2506.14318.
"""

from pathlib import Path, PurePosixPath

from btlib.data.faults import joined
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout
from btlib.data.layouts.walk import PARTS, facts_of, files_of, stem
from btlib.data.layouts.writing import Content, task_name
from btlib.data.sources.table.metadata import Table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import TaskFile
from btlib.errors import DataError

_MASKS, _CLASSES = "segmentation_task", "classification_task"
_HINT = "download the missing files of BRISC again"


class Brisc(TableLayout):
    """Both tasks of BRISC in one table, or one of them."""

    summary = "BRISC: segmentation_task/{train,test}/{images,masks} and classification_task/{train,test}/CLASS"
    options = frozenset({"patient", "label"})

    def recognises(self, folder: Path) -> bool:
        """Whether there is a folder of one of the two tasks."""
        return (folder / _MASKS).is_dir() or (folder / _CLASSES).is_dir()

    def read(self, source: Path, options: Options) -> Content:
        """Read the images of both tasks; an image of the classification task without a mask has no tumour."""
        names = files_of(source, {"raster"})
        faults: list[DataError] = []
        images = _by_stem(names, f"{_MASKS}/*/images/*", source, faults)
        masks = _by_stem(names, f"{_MASKS}/*/masks/*", source, faults)
        classified = _by_stem(names, f"{_CLASSES}/*/*/*", source, faults)
        faults += [
            DataError(f"{masks[key]}: there is no image of this mask", where=source) for key in masks.keys() - images
        ]
        faults += [DataError(f"{images[key]}: there is no mask", where=source) for key in images.keys() - masks]
        if classified:
            strange = images.keys() - classified.keys()
            faults += [DataError(f"{images[key]}: has no class in {_CLASSES}", where=source) for key in strange]
        faults += _torn(images, classified, source)
        if faults:
            raise joined(sorted(faults, key=lambda fault: fault.problem), source, _HINT, what="faults")
        if not images and not classified:
            problem = f"expected {_MASKS}/train/images … or {_CLASSES}/train/CLASS …"
            raise DataError(problem, where=source, hint="name the source that contains these folders")
        keys = list(classified) or list(images)
        rows = [_row(key, images, masks, classified) for key in keys]
        files = [row.file for row in rows]
        patients = facts_of(files, options.patient, "patient", source)
        labels = facts_of(files, options.label, "label", source) if options.label else [row.label for row in rows]
        rows = [row._replace(patient=p, label=label) for row, p, label in zip(rows, patients, labels, strict=True)]
        table = Table(tuple(rows), (), bool(masks), any(labels))
        about = {"name": task_name(options.name, source), "blank_mask": "empty" if masks else None}
        note = f"{len(rows)} images, {len(masks)} with a mask; those without one have no tumour"
        return Content(table, TaskFile.model_validate(about), (note,) if masks else ())


def _by_stem(names: list[str], pattern: str, folder: Path, faults: list[DataError]) -> dict[str, str]:
    """Return the files of a pattern by their names without suffix, which are unique in each task."""
    found: dict[str, str] = {}
    for name in names:
        if len(PurePosixPath(name).parts) == pattern.count("/") + 1 and PurePosixPath(name).match(pattern):
            if PurePosixPath(name).parts[1].lower() not in PARTS:
                faults.append(DataError(f"{name}: expected the folders train and test", where=folder))
            elif found.setdefault(stem(name), name) != name:
                faults.append(DataError(f"{name}: has the name of {found[stem(name)]}", where=folder))
    return found


def _part(name: str) -> str:
    return PARTS[PurePosixPath(name).parts[1].lower()]


def _torn(images: dict[str, str], classified: dict[str, str], folder: Path) -> list[DataError]:
    """Faults of images that train in one task and test in the other."""
    both = [(images[key], classified[key]) for key in images.keys() & classified.keys()]
    return [
        DataError(f"{one}: is in another part than {other}", where=folder)
        for one, other in both
        if _part(one) != _part(other)
    ]


def _row(key: str, images: dict[str, str], masks: dict[str, str], classified: dict[str, str]) -> Row:
    """Row of an image; the file of the segmentation task is used where there is one, because its mask belongs to it."""
    name = images.get(key) or classified[key]
    label = PurePosixPath(classified[key]).parts[2] if key in classified else ""
    return Row(0, name, (masks.get(key, ""),) if masks else (), label, part=_part(name))


LAYOUTS.add("brisc", Brisc())
