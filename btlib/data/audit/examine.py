"""Reading of every sample once, in worker processes: the facts that the checks use."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from btlib.data.audit.mask_fit import MaskShape, Picture, fit
from btlib.data.audit.similar import Pair, Similar, find_similar
from btlib.data.audit.store import Store
from btlib.data.audit.thumbnail import FRAMES, SIDE, border, descriptor, framed, grey, shrunk
from btlib.data.digest import image_digest, mask_digest
from btlib.data.grouping import patient_groups
from btlib.data.preprocess import prepare_mask
from btlib.data.reading import known, read_checked
from btlib.data.source import DatasetSource, Mark, SampleInfo
from btlib.data.workers import map_files
from btlib.errors import DataError


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about a sample that was read.

    Attributes:
        id: Id of the sample.
        label: True class; None for a task without classes.
        patient: Patient id, None if unknown.
        volume: Volume that the sample belongs to; None if it belongs to none.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        dtype: Dtype of the decoded image.
        image: Digest of the pixels.
        masks: Digest of the mask of each structure.
        areas: Share of the image that each mask covers, 0…1.
        small_areas: Pixels of each mask at the chosen size.
        on_object: Share of each mask that lies on pixels above the dark background, 0…1; 1 for an empty mask.
        fits: How each mask fits its image: features of `btlib.data.audit.mask_fit`, empty for an empty mask.
        mean: Mean intensity, in the units of the file.
        constant: Whether all pixels are equal.
        padding: Uniform border at the top, bottom, left and right, as a share of the side, 0…1.
        file: Facts about the file, such as its format.
        mark: Numbers by which the source recognises the sample.
    """

    id: str
    label: int | None
    patient: str | None
    volume: str | None
    height: int
    width: int
    dtype: str
    image: int
    masks: tuple[int, ...]
    areas: tuple[float, ...]
    small_areas: tuple[int, ...]
    on_object: tuple[float, ...]
    fits: tuple[tuple[float, ...], ...]
    mean: float
    constant: bool
    padding: tuple[float, float, float, float]
    file: Mapping[str, str]
    mark: Mark


@dataclass(frozen=True, eq=False)
class Examined:
    """Data set whose samples were read.

    Attributes:
        source: Source of the samples.
        listed: All samples that the source lists.
        samples: Facts about the samples that could be read, in the order of the source.
        patients: Patient of each readable sample, None if unknown.
        rows: Row of each readable sample in the store.
        faults: Faults of the other samples, and of the table.
        parts: Part of each sample by its id, "train", "val" or "test"; None without a split.
        split: Name of the split; None without a split.
        image_size: Side in pixels to which masks are resized.
        store: Thumbnails and descriptors.
    """

    source: DatasetSource
    listed: Sequence[SampleInfo]
    samples: Sequence[Facts]
    patients: tuple[str | None, ...]
    rows: Sequence[int]
    faults: tuple[DataError, ...]
    parts: Mapping[str, str] | None
    split: str | None
    image_size: int
    store: Store

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.source.task.classes

    def part(self, i: int) -> str | None:
        """Part of the split that readable sample i belongs to; None without a split."""
        return None if self.parts is None else self.parts.get(self.samples[i].id)

    @cached_property
    def groups(self) -> np.ndarray:
        """Patient of each readable sample as a number, int64 [n]; a sample without patient is its own group."""
        return patient_groups(self.patients)

    @cached_property
    def equal(self) -> Sequence[Sequence[int]]:
        """Groups of readable samples with equal pixels, each of at least two samples; constant images are left out."""
        found: dict[int, list[int]] = {}
        for i, one in enumerate(self.samples):
            if not one.constant:
                found.setdefault(one.image, []).append(i)
        return [group for group in found.values() if len(group) > 1]

    @cached_property
    def similar(self) -> Similar:
        """Pairs of similar images among those with different pixels, and the nearest images of each."""
        copies = {i for group in self.equal for i in group[1:]}
        firsts = [i for i in range(len(self.samples)) if i not in copies]
        return find_similar(self, firsts)

    @property
    def near(self) -> Sequence[Pair]:
        """Pairs of near-duplicates."""
        return self.similar.pairs


@contextmanager
def examined(
    source: DatasetSource,
    parts: Mapping[str, str] | None = None,
    split: str | None = None,
    image_size: int = 256,
    faults: Sequence[DataError] = (),
    progress: bool = False,
) -> Iterator[Examined]:
    """Read all samples of a source once; the thumbnails exist until the context ends.

    Args:
        source: Source of the samples.
        parts: Part of each sample; None uses the official split if there is one.
        split: Name of this split.
        image_size: Side in pixels to which masks are resized.
        faults: Faults that were found when the source was opened.
        progress: Draw a progress bar on stderr.

    Raises:
        DataError: There are no samples, or no sample can be read.
    """
    listed = known(source.samples(), source.place)
    if parts is None:
        parts = source.official_split()
        split = None if parts is None else "official"
    with tempfile.TemporaryDirectory(prefix="btlib-audit-", ignore_cleanup_errors=True) as place:
        store = Store(Path(place), len(listed), len(source.task.structures))
        store.create()
        work = partial(examine, source=source, store=store, image_size=image_size)
        found, rows, bad = [], [], list(faults)
        for i, one in enumerate(map_files(work, enumerate(listed), len(listed), "Reading samples", progress)):
            if isinstance(one, DataError):
                bad.append(one)
            else:
                found.append(one)
                rows.append(i)
        patients = _patients(source, found, bad)
        yield Examined(source, listed, found, patients, rows, tuple(bad), parts, split, image_size, store)


def _patients(source: DatasetSource, found: Sequence[Facts], bad: list[DataError]) -> tuple[str | None, ...]:
    """Return the patient of each sample; a contradiction between codes and samples is a fault."""
    codes = [one.patient for one in found]
    marks = np.array([one.mark for one in found], [("signature", np.uint64), ("area256", np.uint32)])
    try:
        return source.patients(source.task, np.array([one.id for one in found], str), codes, marks).ids
    except DataError as error:
        bad.append(error)
        return tuple(codes)


def examine(numbered: tuple[int, SampleInfo], source: DatasetSource, store: Store, image_size: int) -> Facts:
    """Read sample i, write its thumbnails and return its facts.

    Raises:
        DataError: The sample cannot be read, or does not fit the source's task.
    """
    i, info = numbered
    sample = read_checked(source, info)
    plane = grey(sample.image)
    h, w = plane.shape
    widths = border(plane)
    padding = (widths[0] / h, widths[1] / h, widths[2] / w, widths[3] / w)
    small = shrunk(plane, SIDE)
    store.write(i, "images", np.rint(small * 255).astype(np.uint8))
    parts = [descriptor(framed(plane if k == 1 else small, k, padding)) for k in range(len(FRAMES))]
    store.write(i, "descriptors", np.stack(parts))
    masks = [shrunk(mask.astype(np.float32), SIDE) >= 0.5 for mask in sample.mask]
    if masks:
        store.write(i, "masks", np.packbits(np.stack(masks).reshape(len(masks), -1), axis=1))
    picture = Picture.of(small) if masks else None
    fits = [fit(picture, MaskShape.of(mask)) if picture and mask.any() else () for mask in masks]
    return Facts(
        id=sample.id,
        label=sample.label,
        patient=sample.patient,
        volume=sample.volume,
        height=h,
        width=w,
        dtype=str(sample.image.dtype),
        image=image_digest(sample.image),
        masks=tuple(mask_digest(mask) for mask in sample.mask),
        areas=tuple(float(mask.mean()) for mask in sample.mask),
        small_areas=tuple(int(prepare_mask(mask, image_size).sum()) for mask in sample.mask),
        on_object=tuple(_on_object(small, mask) for mask in masks),
        fits=tuple(fits),
        mean=float(sample.image.mean(dtype=np.float64)),
        constant=bool((sample.image == sample.image[:, :1, :1]).all()),
        padding=padding,
        file={**source.file_facts(info), "size": f"{h}×{w}"},
        mark=source.mark(sample),
    )


def _on_object(plane: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of a mask that lies on pixels brighter than the dark background, after slight smoothing."""
    import cv2

    if not mask.any():
        return 1.0
    smooth = cv2.GaussianBlur(plane, (0, 0), 1.5)
    return float((smooth > 0.06)[mask].mean())
