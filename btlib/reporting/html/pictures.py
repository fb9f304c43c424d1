"""Images and true masks of single samples: from the run's folder where they were kept, else from the data set."""

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

_SIDE = 256  # pixels of a kept image; contours are drawn over it at whatever size
_HINT = "delete the file: pictures are taken from the data set again"


@dataclass(frozen=True, eq=False)
class Picture:
    """One sample to look at.

    Attributes:
        image: Grey values, uint8 [s, s], s at most 256.
        truth: True masks at the size of the protocol, bool [structures, h, w].
    """

    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]

    @classmethod
    def of(cls, image: NDArray[np.float32], truth: NDArray[np.bool_]) -> Self:
        """Of the first channel of an image [channels, h, w]: black to white is the 0.5th to the 99.5th percentile."""
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
        """The image as a data address, JPEG."""
        import cv2

        done, buffer = cv2.imencode(".jpg", self.image, [cv2.IMWRITE_JPEG_QUALITY, 85])
        if not done:
            raise BtlibError("an image could not be encoded", where="report")
        return "data:image/jpeg;base64," + base64.b64encode(buffer.tobytes()).decode()


def pictures(view: View, areas: Mapping[str, list[int]], problems: Problems) -> dict[str, Picture]:
    """Pictures of samples, kept in `pictures.npz` of the run's folder so that they can be had without the data.

    Args:
        view: The run.
        areas: Id of each wanted sample → pixels of its true masks by the record: a sample with other masks is not the
            one that was measured, and is left out.
        problems: Told why some could not be had.

    Returns:
        Those that could be had, by id.
    """
    if not areas:
        return {}
    path, failed = view.store.path / "pictures.npz", Problems()
    found = failed.attempt(partial(_load, path)) or {}
    lacking = areas.keys() - found.keys()
    fresh = failed.attempt(partial(_from_data, view, lacking)) if lacking else {}
    if fresh:
        found |= fresh
        keep(path, found)
    right = {
        n: found[n] for n, area in areas.items() if n in found and found[n].truth.sum(axis=(1, 2)).tolist() == area
    }
    if fresh is None:
        problems.add(*failed.said)
    elif len(right) < len(areas):
        problems.add("the data has changed since: some samples are not those that were measured")
    return right


def _from_data(view: View, ids: Iterable[str]) -> dict[str, Picture]:
    from btlib.data import load_dataset

    if view.info.data_folder is None:
        raise BtlibError("the run does not say where its data lies", where=view.store.path)
    if not Path(view.info.data_folder).is_dir():
        raise BtlibError(f"the data is no longer there: {view.info.data_folder}", where=view.store.path)
    conditions = view.records[0].conditions
    dataset = load_dataset(view.info.data_folder, conditions.image_size, conditions.scaling)
    at = {name: i for i, name in enumerate(dataset.ids.tolist())}
    return {n: Picture.of(dataset.images[at[n]], dataset.masks[at[n]]) for n in sorted(ids) if n in at}


def keep(path: Path, kept: Mapping[str, Picture]) -> None:
    """Write pictures by id, atomically; at least one."""
    ids = sorted(kept)
    truth = np.stack([kept[name].truth for name in ids])
    arrays = {
        "ids": np.array(ids),
        "images": np.stack([kept[name].image for name in ids]),
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
