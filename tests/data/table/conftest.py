"""Folders with a `metadata.csv`, as a user would make them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

H, W = 13, 22


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def save(path: Path, pixels: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        Image.fromarray(pixels).save(path)


def pixels(i: int, dtype: type = np.uint8, high: int = 256) -> NDArray[np.generic]:
    """An image of height ≠ width that is like no other."""
    return np.random.default_rng(i).integers(0, high, (H, W)).astype(dtype)


def lesion(i: int) -> NDArray[np.bool_]:
    mask = np.zeros((H, W), bool)
    mask[2 : 5 + i % 4, 9:20] = True
    return mask


Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a folder: `metadata.csv`, `task.toml` and files by name."""

    def write(table: str, toml: str = "", files: Mapping[str, NDArray[np.generic]] | None = None) -> Path:
        home = tmp_path / "scans"
        home.mkdir(exist_ok=True)
        (home / "metadata.csv").write_bytes(table.encode())
        if toml:
            (home / "task.toml").write_text(toml, encoding="utf-8")
        for name, array in (files or {}).items():
            save(home / name, array)
        return home

    return write
