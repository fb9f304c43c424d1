"""Cases of an export: samples with names that other programs accept, and how their files are written."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.data.dataset import Dataset
from btlib.data.faults import joined
from btlib.data.layouts.cases_file import CaseRow
from btlib.data.reading import read_checked
from btlib.data.source import DatasetSource, SampleInfo
from btlib.data.workers import map_files
from btlib.errors import DataError, OptionError

_FORBIDDEN = re.compile(r"[^A-Za-z0-9-]+")
_SUFFIX = re.compile(r"\.(png|jpe?g|tiff?|bmp|npy|dcm|nii(\.gz)?)(?= |$)", re.IGNORECASE)
_LONGEST = 100  # letters of a case's name
_MOST = 250  # combinations of structures, which are the values of a mask file of 8 bits
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Case:
    """A sample to export.

    Attributes:
        info: Sample, as its source lists it.
        part: "train", "val" or "test".
        row: Name of the case and facts of the sample.
    """

    info: SampleInfo
    part: str
    row: CaseRow


@dataclass(frozen=True)
class Plan:
    """How the files of an export are written.

    Attributes:
        ending: ".png", or ".nii.gz" for intensities that a PNG file cannot store exactly.
        values: Combination of structures, as a sum of 2**i → value in a mask file.
        occurring: Combinations that occur.
        spacing: Pixel size in mm, if all samples have the same one.
    """

    ending: str
    values: Mapping[int, int]
    occurring: frozenset[int]
    spacing: tuple[float, float] | None

    def values_of(self, structure: int) -> list[int]:
        """Values of the pixels that belong to a structure, given by its position."""
        return sorted(value for combination, value in self.values.items() if combination >> structure & 1)


def cases_of(source: DatasetSource, dataset: Dataset, parts: Mapping[str, Sequence[int]]) -> list[Case]:
    """Return the cases of a split, in the order of the data set.

    Args:
        source: Source of the samples in their own size.
        dataset: The same samples, with patients.
        parts: Part → positions in the data set.
    """
    infos = {info.id: info for info in source.samples()}
    part_of = {int(at): part for part in PARTS for at in parts[part]}
    classes = dataset.task.classes
    names: Counter[str] = Counter()
    cases = []
    for at in sorted(part_of):
        name = str(dataset.ids[at])
        label = "" if dataset.labels is None else classes[dataset.labels[at]]
        volume = "" if dataset.volumes is None else dataset.volumes[at]
        row = CaseRow(_case_name(name, names), name, label, dataset.patients[at] or "", volume)
        cases.append(Case(infos[name], part_of[at], row))
    return cases


def _case_name(name: str, names: Counter[str]) -> str:
    """Return a unique name of letters, digits, "-" and "_" that does not end like the number of a channel."""
    plain = _FORBIDDEN.sub("_", _SUFFIX.sub("", name))[:_LONGEST].strip("_-") or "case"
    unique = plain
    while names[unique.lower()]:
        names[plain.lower()] += 1
        unique = f"{plain}-{names[plain.lower()]}"
    names[unique.lower()] += 1
    return unique


def plan_of(source: DatasetSource, cases: Sequence[Case], progress: bool = False) -> Plan:
    """Read all samples and decide how their files are written.

    Raises:
        DataError: Samples cannot be read; one error names all of them.
        OptionError: Structures overlap in more combinations than a mask file has values.
    """
    facts = _each(partial(_look, source), cases, "Reading samples", source, progress)
    ending = ".png" if all(png for png, _, _ in facts) else ".nii.gz"
    singles = [1 << k for k in range(len(source.task.structures))]
    occurring = frozenset().union(*(combinations for _, combinations, _ in facts))
    found = occurring - {0, *singles}
    if len(found) + len(singles) > _MOST:
        problem = f"the structures overlap in {len(found)} combinations, expected at most {_MOST}"
        raise OptionError(problem, hint="export fewer structures")
    spacings = {spacing for _, _, spacing in facts}
    values = {combination: k for k, combination in enumerate([*singles, *sorted(found)], start=1)}
    return Plan(ending, values, occurring, spacings.pop() if len(spacings) == 1 else None)


def _each(function: Any, cases: Sequence[Case], title: str, source: DatasetSource, progress: bool) -> list[Any]:
    results = list(map_files(function, cases, len(cases), title, progress))
    if faults := [result for result in results if isinstance(result, DataError)]:
        raise joined(faults, source.place, source.hint)
    return results


def _look(source: DatasetSource, case: Case) -> tuple[bool, frozenset[int], tuple[float, float] | None]:
    """Return whether a PNG file can store the image, the combinations of structures in it, and its spacing."""
    sample = read_checked(source, case.info)
    image = sample.image
    png = image.dtype.kind in "iu" and int(image.min()) >= 0 and int(image.max()) < 2**16
    return png, frozenset(np.unique(_combinations(sample.mask)).tolist()), sample.spacing or source.task.spacing


def _combinations(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the combination of structures of each pixel, the sum of 2**i over the structures i, [h, w]."""
    weights = 1 << np.arange(len(mask), dtype=np.int64)
    return np.asarray(np.tensordot(weights, mask.astype(np.int64), axes=1)).reshape(mask.shape[1:])


def write_cases_files(
    source: DatasetSource,
    cases: Sequence[Case],
    plan: Plan,
    places: Mapping[str, tuple[Path, Path]],
    progress: bool = False,
) -> None:
    """Write the images, one file for each channel, and the masks.

    Args:
        source: Source of the samples.
        cases: Cases to write.
        plan: How they are written.
        places: Part → folders of images and masks.
        progress: Draw a progress bar on stderr.
    """
    for folder in {folder for both in places.values() for folder in both}:
        folder.mkdir(parents=True, exist_ok=True)
    _each(partial(_write, source, plan, places), cases, "Writing cases", source, progress)


def _write(source: DatasetSource, plan: Plan, places: Mapping[str, tuple[Path, Path]], case: Case) -> None:
    sample = read_checked(source, case.info)
    images, masks = places[case.part]
    spacing = sample.spacing or source.task.spacing
    for number, plane in enumerate(sample.image):
        _save(images / f"{case.row.case}_{number:04d}{plan.ending}", plane, spacing)
    if len(sample.mask):
        of = _combinations(sample.mask)
        values = np.zeros(of.shape, np.uint8)
        for combination in np.unique(of[of > 0]):
            values[of == combination] = plan.values[int(combination)]
        _save(masks / f"{case.row.case}{plan.ending}", values, spacing)


def _save(path: Path, plane: NDArray[Any], spacing: tuple[float, float] | None) -> None:
    if path.suffix == ".png":
        from PIL import Image

        Image.fromarray(plane.astype(np.uint8 if plane.dtype.itemsize == 1 else np.uint16)).save(path)
        return
    with extras.named("writing of NIfTI files"):
        import nibabel
    make: Any = nibabel.Nifti1Image  # has no types
    height, width = spacing or (1.0, 1.0)
    volume = np.ascontiguousarray(_storable(plane).T[..., None])
    nibabel.save(make(volume, np.diag([width, height, 1.0, 1.0])), path)


def _storable(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers in a type that all readers of NIfTI know; 64-bit integers become floats if they are large."""
    if plane.dtype == np.float16:
        return plane.astype(np.float32)
    if (plane.dtype.kind in "iu" and plane.dtype.itemsize > 4) or plane.dtype == np.uint32:
        limits = np.iinfo(np.int32)
        fits = limits.min <= int(plane.min()) and int(plane.max()) <= limits.max
        return plane.astype(np.int32 if fits else np.float64)
    return plane
