"""Phantoms of any task, drawn when they are read, for tests with tasks unlike the Figshare data."""

import operator
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from btlib import fingerprint
from btlib.data.sample import Sample
from btlib.data.source import DatasetSource, SampleInfo
from btlib.data.sources.phantom.head import KINDS, Anatomy, anatomy, draw
from btlib.data.sources.tasks import BUILT_IN
from btlib.data.task import Task
from btlib.errors import DataError
from btlib.ranges import COUNT, SEED
from btlib.types import Scaling

_VERSION = 1  # increase it with every change of a phantom's pixels
_HEALTHY = ("no ", "normal", "healthy")
"""Prefixes of the names of classes whose samples have empty masks."""


class PhantomSource(DatasetSource):
    """Source of n phantoms of a task, with the patients distributed equally among the classes.

    A class whose name begins with "no ", "normal" or "healthy" has empty masks. The second structure of a task lies
    inside the first, the third inside the second, and so on. Channels after the first one are other contrasts of the
    same head.

    Args:
        task: Task, marked as simulated (`synthetic`).
        n: Number of samples.
        seed: Seed, 0…2³²−1; the same seed and n give the same samples, bit by bit.
        size: Side of an image in pixels.
        each: Number of samples of a patient; each patient is also one volume.

    Raises:
        DataError: n, size or each is below 1, the seed is below 0, or the task is not marked as simulated.
    """

    def __init__(self, task: Task, n: int, *, seed: int = 0, size: int = 128, each: int = 3) -> None:
        for name, value in {"n": n, "size": size, "each": each}.items():
            COUNT.require(value, f"phantoms: {name}", error=DataError)
        SEED.require(seed, "phantoms: seed", error=DataError)
        if not task.synthetic:
            raise DataError("expected a simulated task", where=task.name, hint="create the task with synthetic=True")
        self._task = task
        self.n, self.seed, self.size, self.each = (operator.index(value) for value in (n, seed, size, each))

    @property
    def task(self) -> Task:
        """Task of its samples."""
        return self._task

    @property
    def default_scaling(self) -> Scaling:
        """The thesis's scaling for its task, which is built in; percentiles for others."""
        return "thesis" if self.task.name in BUILT_IN else "percentile"

    @property
    def folder(self) -> Path | None:
        """None: there are no files."""
        return None

    @property
    def place(self) -> str:
        """Unique name of these phantoms, also used in messages."""
        return f"phantoms {self.signature()}"

    def samples(self) -> Sequence[SampleInfo]:
        """List ids, classes, patients and volumes."""
        classes = max(len(self.task.classes), 1)
        found = []
        for i in range(self.n):
            person = i // self.each
            label = person % classes if self.task.classes else None
            found.append(SampleInfo(f"phantom-{i + 1}", str(i), label, f"PH{person + 1:04d}", f"PH{person + 1:04d}"))
        return found

    def signature(self) -> str:
        """Signature of everything that determines the pixels."""
        whole = (self.task.model_dump(mode="json"), self.n, self.seed, self.size, self.each, _VERSION)
        return fingerprint.of(*whole)

    def read(self, info: SampleInfo) -> Sample:
        """Draw a sample."""
        i = int(info.key)
        rng = RandomState([self.seed, 1, i])
        image, mask = draw(self._people[i // self.each], rng, self.size)
        channels = [image] + [_contrast(image, mask, k, rng) for k in range(1, len(self.task.channels))]
        return Sample(
            id=info.id,
            image=np.stack(channels),
            mask=_nested(mask, len(self.task.structures)),
            label=info.label,
            patient=info.patient,
            volume=info.volume,
        )

    @cached_property
    def _people(self) -> list[Anatomy]:
        rng = RandomState([self.seed, 0])
        classes = self.task.classes or KINDS
        people = -(-self.n // self.each)
        return [anatomy(_kind(classes[k % len(classes)], k % len(classes)), rng) for k in range(people)]


def _kind(name: str, place: int) -> str | None:
    """Tumour type of a class: by its name, or by its position if the name is no tumour type; None if healthy."""
    if name.lower().startswith(_HEALTHY):
        return None
    return name if name in KINDS else KINDS[place % len(KINDS)]


def _contrast(image: NDArray[np.int16], mask: NDArray[np.bool_], k: int, rng: RandomState) -> NDArray[np.int16]:
    """Same head with another contrast: the tumour is darker, and the noise is different."""
    changed = np.where(mask, image // (k + 1), image) + rng.randint(0, 40, image.shape)
    return np.clip(changed, 0, 32767).astype(np.int16)


def _nested(mask: NDArray[np.bool_], structures: int) -> NDArray[np.bool_]:
    """Masks [structures, h, w], each inside the previous one."""
    if structures == 0:
        return np.zeros((0, *mask.shape), dtype=bool)
    depth = distance_transform_edt(mask)
    levels = [k / structures * float(depth.max()) for k in range(structures)]
    return np.stack([mask & (depth > level) for level in levels])
