"""Phantoms as a user's images: an import finds the classes, patients and masks that were drawn."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from btlib.cli import app
from btlib.data.layouts.importing import Options, import_folder
from btlib.data.sources.phantom.images import TASK, write_phantom_images
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError


def test_an_import_finds_what_was_drawn(tmp_path: Path) -> None:
    folder = write_phantom_images(tmp_path / "images", 14, seed=3, size=40)
    rules = Options(label="folder", patient=r"PH\d+", blank_mask="empty")
    import_folder("pairs", folder, tmp_path / "scans", rules)
    found, drawn = TableSource(tmp_path / "scans"), PhantomSource(TASK, 14, seed=3, size=40)
    read = {info.id: found.read(info) for info in found.samples()}
    assert set(found.task.classes) == {*TASK.classes}
    for info in drawn.samples():
        expected = drawn.read(info)
        label = TASK.classes[expected.label or 0]
        sample = read[f"images/{label}/{info.patient}-{int(info.key) % 3 + 1}.png"]
        assert found.task.classes[sample.label or 0] == label
        assert sample.patient == info.patient
        assert np.array_equal(sample.mask, expected.mask)
        assert sample.image.dtype == np.uint8
        assert np.array_equal(sample.image, np.round(expected.image * (255 / expected.image.max())))


def test_what_is_there_stays(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exists already"):
        write_phantom_images(tmp_path, 3)
    with pytest.raises(DataError, match="n: expected a whole number from 1"):
        write_phantom_images(tmp_path / "new", 0)
    assert not [*tmp_path.iterdir()]


def test_the_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "phantom", str(tmp_path / "p"), "--slices", "2", "--png"])
    assert done.exit_code == 0
    assert sorted(p.relative_to(tmp_path / "p").as_posix() for p in (tmp_path / "p").rglob("*.png")) == [
        f"{kind}/meningioma/PH0001-{k}.png" for kind in ("images", "masks") for k in (1, 2)
    ]
