"""Files in another folder, several files per image, values of masks, and the spacing of headers."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

import btlib
from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError

from .conftest import H, Make, W, lesion, pixels, save


def read(source: TableSource, at: int = 0):
    return source.read(source.samples()[at])


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """Files in a folder that cannot be written."""
    home = tmp_path / "away"
    save(home / "images/0.png", pixels(0))
    save(home / "masks/0.png", lesion(0))
    home.chmod(0o555)
    return home


@pytest.mark.parametrize("relative", [True, False])
def test_files_in_a_folder_that_is_only_read(make: Make, away: Path, relative: bool) -> None:
    root = "../away" if relative else away.as_posix()
    folder = make("file_name,mask\nimages/0.png,masks/0.png\n", f'root = "{root}"')
    source = TableSource(folder)
    assert (source.folder, source.samples()[0].id) == (folder, "images/0.png")
    assert np.array_equal(read(source).image[0], pixels(0))
    first = source.signature()
    assert len(btlib.load_dataset(folder, 8)) == 1
    save(away / "images/0.png", pixels(1))
    assert TableSource(folder).signature() != first


def test_files_must_lie_in_the_root(make: Make, away: Path, tmp_path: Path) -> None:
    save(tmp_path / "secret.png", pixels(0))
    away.chmod(0o755)
    (away / "link.png").symlink_to(tmp_path / "secret.png")
    toml = 'root = "../away"'
    with pytest.raises(DataError, match=r"link.png: the file is a link to a place outside the folder"):
        TableSource(make("file_name,mask\nlink.png,masks/0.png\n", toml))
    with pytest.raises(DataError, match=r"expected a path inside the folder, got '../secret.png'"):
        TableSource(make("file_name,mask\n../secret.png,masks/0.png\n", toml))
    with pytest.raises(DataError, match=r"0.png: the file is missing"):
        TableSource(make("file_name,mask\n0.png,masks/0.png\n", toml, {"0.png": pixels(0)}))
    with pytest.raises(DataError, match=r"root: there is no folder .*gone"):
        TableSource(make("file_name,mask\nimages/0.png,masks/0.png\n", 'root = "../gone"'))


CHANNELS = "file_name,channel:T2,channel:FLAIR,mask\na.png,b.png,c.png,m.png\n"


def test_channels_in_files(make: Make) -> None:
    files = {f"{name}.png": pixels(i) for i, name in enumerate("abc")} | {"m.png": lesion(0)}
    source = TableSource(make(CHANNELS, files=files))
    assert source.task.channels == ("intensity", "T2", "FLAIR")
    assert np.array_equal(read(source).image, np.stack([pixels(i) for i in range(3)]))
    source = TableSource(make(CHANNELS, 'channels = ["T1", "FLAIR", "T2"]'))
    assert np.array_equal(read(source).image, np.stack([pixels(0), pixels(2), pixels(1)]))
    first = source.signature()
    save(source.folder / "b.png", pixels(9))
    assert TableSource(source.folder).signature() != first
    with pytest.raises(DataError, match=r"channels: expected the channel of file_name, then .* T2, FLAIR, got T1, T2"):
        TableSource(make(CHANNELS, 'channels = ["T1", "T2"]'))


FAULTS = [
    ({"b.png": np.zeros((H, W + 1), np.uint8)}, r"b.png: 13 × 23 pixels .* the first channel has 13 × 22"),
    ({"c.png": np.dstack([pixels(0), pixels(1), pixels(2)])}, r"c.png: the image has 3 channels, expected 1"),
    ({"a.png": np.dstack([pixels(0), pixels(1), pixels(2)])}, r"\): the image has 3 channels, expected 1"),
]


@pytest.mark.parametrize(("files", "message"), FAULTS)
def test_channels_that_do_not_fit(make: Make, files: dict[str, np.ndarray], message: str) -> None:
    every = {f"{name}.png": pixels(i) for i, name in enumerate("abc")} | {"m.png": lesion(0)} | files
    with pytest.raises(DataError, match=message):
        read(TableSource(make(CHANNELS, files=every)))


def test_a_channel_may_not_be_blank(make: Make) -> None:
    with pytest.raises(DataError, match=r"\(a.png\): channel:T2: expected the path of a file, found a blank"):
        TableSource(make("file_name,channel:T2,label\na.png,,x\n"))
    with pytest.raises(DataError, match=r"unknown column 'Channels:T2', which is similar to 'channel:'"):
        TableSource(make("file_name,Channels:T2,label\na.png,b.png,x\n"))
    with pytest.raises(DataError, match="expected the name of a channel after channel:"):
        TableSource(make("file_name,channel:,label\na.png,b.png,x\n"))


def test_values_of_masks(make: Make) -> None:
    mask = (lesion(0) * 2 + np.roll(lesion(0), 1, 0) * 4).astype(np.uint8)
    table, files = "file_name,mask\n0.png,m.png\n", {"0.png": pixels(0), "m.png": mask}
    toml = "[mask_values]\nwhole = [2, 4, 6]\ncore = 4\nbackground = [0, 6]"
    with pytest.raises(DataError, match="mask_values: 6 belongs to a structure and to the background"):
        TableSource(make(table, toml, files))
    toml = "[mask_values]\nwhole = [2, 4]\ncore = 4\nbackground = [0, 6]"
    source = TableSource(make(table, toml))
    assert source.task.structures == ("whole", "core")
    assert np.array_equal(read(source).mask, np.stack([(mask == 2) | (mask == 4), mask == 4]))
    source = TableSource(make(table, 'structures = ["core", "whole"]\n' + toml))
    assert np.array_equal(read(source).mask[0], mask == 4)
    with pytest.raises(DataError, match=r"the mask has the values 0, 2, 4, 6, expected 0, 2, 4\n.*mask_values"):
        read(TableSource(make(table, "[mask_values]\ncore = 2\nrim = 4")))
    with pytest.raises(DataError, match="mask_values: expected the values of x, got those of whole, core"):
        TableSource(make(table, 'structures = ["x"]\n' + toml))
    with pytest.raises(DataError, match=r"mask_values: metadata.csv has no column mask"):
        TableSource(make("file_name,mask:core\n0.png,m.png\n", toml))


def test_several_masks_are_united(make: Make) -> None:
    files = {"0.png": pixels(0), "a.png": lesion(0), "b.png": np.roll(lesion(0), 4, 1)}
    source = TableSource(make("file_name,mask\n0.png,a.png|b.png\n", files=files))
    assert np.array_equal(read(source).mask[0], lesion(0) | np.roll(lesion(0), 4, 1))
    with pytest.raises(DataError, match=r"c.png: the file is missing"):
        TableSource(make("file_name,mask\n0.png,a.png|c.png\n"))
    with pytest.raises(DataError, match=r"got '../c.png'"):
        TableSource(make("file_name,mask\n0.png,a.png|../c.png\n"))


@pytest.mark.parametrize(("axis", "spacing"), [(0, (3.0, 0.75)), (1, (3.0, 0.5)), (2, (0.75, 0.5))])
def test_spacing_of_a_header(make: Make, axis: int, spacing: tuple[float, float]) -> None:
    folder = make(f"file_name,slice,axis,label\nv.nii,1,{axis},x\n0.png,,,y\n", files={"0.png": pixels(0)})
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.diag([0.5, 0.75, 3, 1]))
    nibabel.save(image, folder / "v.nii")
    source = TableSource(folder)
    assert read(source).spacing == pytest.approx(spacing)
    assert read(source, 1).spacing is None
    (folder / "task.toml").write_text("spacing_mm = [1, 2.5]")
    assert read(TableSource(folder)).spacing == (1.0, 2.5)
