"""Phantoms as a user's images: PNG files and masks in folders of classes, for trying out an import."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.data.task import Task
from btlib.data.workers import track
from btlib.errors import DataError

TASK = Task(name="images", classes=(*PHANTOM.classes, "no tumour"), structures=("tumour",), synthetic=True)
"""Four classes; the last one has no tumour."""

_EACH = 3  # images of a patient


def write_phantom_images(out: Path | str, n: int, seed: int = 0, *, size: int = 256, progress: bool = False) -> Path:
    """Write n phantoms to a new folder: all of them, or none.

    The files are `images/CLASS/PATIENT-NUMBER.png`, with 8 bits, and `masks/CLASS/PATIENT-NUMBER.png`, with 0 and 255.
    Images without a tumour have no mask file.

    Args:
        out: New folder.
        n: Number of images, three of each patient.
        seed: Seed; the same seed and n give the same files.
        size: Side of an image in pixels.
        progress: Draw a progress bar on stderr.

    Returns:
        The folder.

    Raises:
        DataError: n or size is below 1, the seed is below 0, the folder exists already, or it cannot be written.
    """
    out, source = Path(out), PhantomSource(TASK, n, seed=seed, size=size, each=_EACH)
    if out.exists():
        raise DataError("exists already", where=out, hint="choose a new folder, or remove this one first")
    try:
        with files.atomic_folder(out) as part:
            for info in track(source.samples(), n, "Drawing phantoms", progress):
                sample = source.read(info)
                name = f"{TASK.classes[sample.label or 0]}/{sample.patient}-{int(info.key) % _EACH + 1}.png"
                _write_png(part / "images" / name, _bytes(np.asarray(sample.image)[0]))
                if sample.mask.any():
                    _write_png(part / "masks" / name, np.asarray(sample.mask)[0].astype(np.uint8) * 255)
    except OSError as error:
        hint = "free some space, or choose a writable folder"
        raise DataError(f"cannot be written ({error.strerror or error})", where=out, hint=hint) from error
    return out


def _bytes(image: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return an image from 0 to 255, as exported images often are: its own maximum is 255."""
    return np.round(image * (255 / max(int(image.max()), 1))).astype(np.uint8)


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
