"""Images and true masks of single samples, read from the run's folder if stored there, else from the data set."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from btlib.arrays import load_arrays
from btlib.errors import BtlibError
from btlib.npz import write_npz
from btlib.reporting.html.problems import Problems
from btlib.reporting.html.views import View
from btlib.runs.masks import Masks

_SIDE = 256  # pixels of a stored image; contours are drawn over it at any size
_HINT = "delete the file: the pictures are then read from the data set again"


@dataclass(frozen=True, eq=False)
class Picture:
    """Picture of one sample.

    Attributes:
        image: Grey values, uint8 [s, s], s at most 256.
        truth: True masks at the protocol's size, bool [structures, h, w].
    """

    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]

    @classmethod
    def of(cls, image: NDArray[np.float32], truth: NDArray[np.bool_]) -> Self:
        """Return the picture of an image's first channel; black and white are the 0.5th and 99.5th percentiles.

        Args:
            image: Image, float32 [channels, h, w].
            truth: True masks, bool [structures, h, w].
        """
        import cv2

        image = np.asarray(image)[0]
        low, high = np.percentile(image, (0.5, 99.5))
        grey = np.clip((image - low) / max(float(high - low), 1e-9) * 255, 0, 255).astype(np.uint8)
        side = min(_SIDE, *grey.shape)
        if side < max(grey.shape):
            grey = np.asarray(cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA))
        return cls(grey, np.array(truth))

    @property
    def address(self) -> str:
        """Image as a data URL, JPEG."""
        import cv2

        done, buffer = cv2.imencode(".jpg", self.image, [cv2.IMWRITE_JPEG_QUALITY, 85])
        if not done:
            raise BtlibError("an image could not be encoded", where="report")
        return "data:image/jpeg;base64," + base64.b64encode(buffer.tobytes()).decode()


def pictures(view: View, areas: Mapping[str, list[int]], problems: Problems) -> dict[str, Picture]:
    """Return pictures of samples and store them in `pictures.npz` of the run's folder for use without the data.

    Args:
        view: Run of the samples.
        areas: Id of each wanted sample → pixels of its true masks in the record; a sample with other masks is not the
            measured one and is left out.
        problems: Collects the reasons for missing pictures.

    Returns:
        The available pictures by id.
    """
    if not areas:
        return {}
    path, failed = view.store.path / "pictures.npz", Problems()
    found = failed.attempt(partial(_load, path)) or {}
    lacking = areas.keys() - found.keys()
    fresh = failed.attempt(partial(_from_data, view, lacking)) if lacking else {}
    if fresh:
        found |= fresh
        store_pictures(path, found)
    right = {
        n: found[n] for n, area in areas.items() if n in found and found[n].truth.sum(axis=(1, 2)).tolist() == area
    }
    if fresh is None:
        problems.add(*failed.said)
    elif len(right) < len(areas):
        problems.add("the data has changed since the run: some samples are not those that were measured")
    return right


def _from_data(view: View, ids: Iterable[str]) -> dict[str, Picture]:
    from btlib.data import load_dataset

    if view.info.data_folder is None:
        raise BtlibError("the run does not record its data folder", where=view.store.path)
    if not Path(view.info.data_folder).is_dir():
        raise BtlibError(f"the data folder no longer exists: {view.info.data_folder}", where=view.store.path)
    dataset = load_dataset(view.info.data_folder, *view.records[0].conditions.of_images())
    at = {name: i for i, name in enumerate(dataset.ids.tolist())}
    return {n: Picture.of(dataset.images[at[n]], dataset.masks[at[n]]) for n in sorted(ids) if n in at}


def store_pictures(path: Path, pictures: Mapping[str, Picture]) -> None:
    """Write pictures by id, atomically; there must be at least one."""
    ids = sorted(pictures)
    truth = np.stack([pictures[name].truth for name in ids])
    arrays = {
        "ids": np.array(ids),
        "images": np.stack([pictures[name].image for name in ids]),
        "packed": np.packbits(truth, axis=3),
        "width": np.array(truth.shape[3]),
    }
    write_npz(path, arrays)


def _load(path: Path) -> dict[str, Picture]:
    if not path.exists():
        return {}
    masks = Masks.load(path)
    images = load_arrays(path, [{"images": "nss"}], _HINT)["images"]
    ids = masks.ids.tolist()
    truths = (masks.of(name) for name in ids)
    return {
        name: Picture(image, truth) for name, image, truth in zip(ids, images, truths, strict=True) if truth is not None
    }
