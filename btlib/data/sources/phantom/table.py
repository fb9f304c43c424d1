"""Phantoms of any task as a folder with `metadata.csv`, for examples and for trying out a pipeline."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.data.sample import Sample
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.task import Task
from btlib.errors import DataError


def write_phantom_table(out: Path | str, task: Task, n: int, *, seed: int = 0, size: int = 128, each: int = 3) -> Path:
    """Write n phantoms of a task to a new folder, with `metadata.csv` and `task.toml`: all of them, or none.

    An image of one channel is a PNG of 16 bits, one of several channels is an NPY file. An empty mask is a blank cell.

    Args:
        out: New folder.
        task: Task, marked as simulated (`synthetic`).
        n: Number of samples.
        seed: Seed; the same arguments give the same folder.
        size: Side of an image in pixels.
        each: Number of samples of a patient.

    Returns:
        The folder.

    Raises:
        DataError: An argument is out of its range, the folder exists already, or it cannot be written.
    """
    out, source = Path(out), PhantomSource(task, n, seed=seed, size=size, each=each)
    if out.exists():
        raise DataError("exists already", where=out, hint="choose a new folder, or remove this one first")
    try:
        with files.atomic_folder(out) as part:
            (part / "images").mkdir()
            rows = [_write(part, task, source.read(info)) for info in source.samples()]
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            files.write_text(part / "metadata.csv", text.getvalue())
            files.write_text(part / "task.toml", _task_file(task))
    except OSError as error:
        hint = "free some space, or choose a writable folder"
        raise DataError(f"cannot be written ({error.strerror or error})", where=out, hint=hint) from error
    return out


def _write(folder: Path, task: Task, sample: Sample) -> dict[str, str]:
    """Write the files of a sample and return its row."""
    image = np.asarray(sample.image)
    name = f"images/{sample.id}.{'png' if len(image) == 1 else 'npy'}"
    if len(image) == 1:
        _write_png(folder / name, image[0].astype(np.uint16))
    else:
        np.save(folder / name, image)
    row = {"file_name": name}
    for k, structure in enumerate(task.structures):
        mask = np.asarray(sample.mask)[k]
        file = f"masks/{k}-{re.sub(r'[^0-9A-Za-z]+', '-', structure)}/{sample.id}.png" if mask.any() else ""
        if file:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            _write_png(folder / file, mask.astype(np.uint8) * 255)
        row[f"mask:{structure}"] = file
    if sample.label is not None:
        row["label"] = task.classes[sample.label]
    return row | {"patient": str(sample.patient)}


def _write_png(path: Path, image: NDArray[np.uint8 | np.uint16]) -> None:
    import cv2

    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def _task_file(task: Task) -> str:
    """Return the content of `task.toml`. A JSON text or list of texts is also valid TOML."""
    values = {"name": task.name, "classes": task.classes, "structures": task.structures, "channels": task.channels}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value]
    return "\n".join([*lines, 'blank_mask = "empty"' if task.structures else "", "synthetic = true", ""])
