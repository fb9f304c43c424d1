"""A source of one's own: a folder of NumPy arrays, `NAME.npy` with image and mask [2, h, w]."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from btlib.data.sample import Sample
from btlib.data.source import SOURCES, DatasetSource, SampleInfo, SourceKind
from btlib.data.task import Task


class Arrays(DatasetSource):
    """Images with a mask each."""

    task = Task(name="arrays", structures=("thing",), synthetic=True, independent=True)

    def __init__(self, folder: Path) -> None:
        self.home = folder

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self.home

    def samples(self) -> Sequence[SampleInfo]:
        """In the order of their names."""
        return [SampleInfo(path.stem, path.name) for path in sorted(self.home.glob("*.npy"))]

    def signature(self) -> str:
        """Of sizes and times."""
        stats = ((path.name, path.stat()) for path in sorted(self.home.glob("*.npy")))
        return "/".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)

    def read(self, info: SampleInfo) -> Sample:
        """One file."""
        image, mask = np.load(self.home / info.key)
        return Sample(info.id, image[None].astype(np.float32), mask[None] > 0, None, None)


SOURCES.add("arrays", SourceKind(lambda folder: any(folder.glob("*.npy")), Arrays))
