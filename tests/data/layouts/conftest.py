"""Small data sets in the layouts of the field, generated with known pixels."""

from collections.abc import Callable, Mapping
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from btlib.data.layouts.importing import Imported, Options, import_folder
from btlib.data.sample import Sample
from btlib.data.sources.table.source import TableSource

H, W, D = 13, 22, 5


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))


def pixels(i: int, high: int = 256, dtype: type = np.uint8) -> NDArray[np.generic]:
    """An image of height ≠ width that is like no other."""
    return np.random.default_rng(i).integers(0, high, (H, W)).astype(dtype)


def volume(i: int) -> NDArray[np.int16]:
    """A volume [x, y, z] with negative intensities and three different sides."""
    return np.random.default_rng(i).integers(-500, 500, (W, H, D)).astype(np.int16)


def regions(i: int) -> NDArray[np.uint8]:
    """A mask with the values 0, 1 and 2."""
    mask = np.zeros((H, W), np.uint8)
    mask[2 : 5 + i % 4, 9:20] = 1
    mask[3, 10 : 12 + i % 3] = 2
    return mask


def regions_of_volume(i: int) -> NDArray[np.uint8]:
    """A mask [x, y, z]: the first and the last slice along z are empty."""
    mask = np.zeros((W, H, D), np.uint8)
    for z in range(1, D - 1):
        mask[..., z] = regions(i + z).T
    return mask


def save(path: Path, array: NDArray[np.generic], spacing: tuple[float, ...] = (0.5, 0.75, 3.0)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith((".nii", ".nii.gz")):
        nibabel.save(nibabel.Nifti1Image(array, np.diag([*spacing, 1.0])), path)
    elif path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)


Make = Callable[[Mapping[str, NDArray[np.generic] | str]], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a source folder: arrays as images or volumes, texts as they are."""

    def write(files: Mapping[str, NDArray[np.generic] | str]) -> Path:
        home = tmp_path / "source"
        home.mkdir(exist_ok=True)
        for name, content in files.items():
            if isinstance(content, str):
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                (home / name).write_text(content, encoding="utf-8")
            else:
                save(home / name, content)
        return home

    return write


def samples(out: Path) -> dict[str, Sample]:
    """Samples of an imported folder, by their ids."""
    source = TableSource(out)
    return {info.id: source.read(info) for info in source.samples()}


def run(layout: str, source: Path, *, copy: bool = False, out: str = "out", **options: object) -> tuple[Path, Imported]:
    """Import into a folder beside the source."""
    target = source.parent / out
    return target, import_folder(layout, source, target, Options(**options), copy=copy)  # type: ignore[arg-type]
