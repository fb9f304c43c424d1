"""Everything in btlib that reads a file: how a small one is made, and what is read of it, for comparison."""

import hashlib
import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np

from btlib.adapters.saved import SavedPredictions, save_predictions
from btlib.cases import Case, Prepared, Work, fit_or_load
from btlib.data import load_dataset, read_slice, write_slice
from btlib.data.dataset import Dataset
from btlib.data.sources.figshare.cvind import read_cvind
from btlib.data.sources.figshare.download import _unpack
from btlib.data.sources.tasks import PHANTOM
from btlib.explain.maps import Maps
from btlib.gate.judgement import Judgement, judge_run
from btlib.gate.schema import Baseline
from btlib.protocol import Protocol, Recipe
from btlib.runs import CaseRecord, RunInfo, RunStore, Speed, Timing
from btlib.runs.cell import Cell
from btlib.runs.execute import run_case
from btlib.runs.held_out import HeldOut
from btlib.runs.masks import Masks
from btlib.runs.split import split_file
from btlib.splits import slice_seed42
from btlib.types import Predictions

N, SIDE = 12, 16
SPLIT = slice_seed42(N)


@dataclass(frozen=True)
class Reader:
    """One way to read.

    Attributes:
        make: Writes sound files into an empty folder, and gives those that may be damaged.
        read: What is in the folder, as a text that differs where a value differs.
        rebuilds: Whether damage may be repaired by making the file anew, with a warning.
    """

    make: Callable[[Path], list[Path]]
    read: Callable[[Path], str]
    rebuilds: bool = False


def digest(*parts: Any) -> str:
    """Of arrays, texts and plain values."""
    found = hashlib.sha256()
    for part in parts:
        array = np.asarray(part)
        found.update(f"{array.dtype} {array.shape} ".encode())
        found.update(repr(part).encode() if array.dtype.hasobject else np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    masks = np.zeros((N, 1, SIDE, SIDE), bool)
    masks[..., 4:9, 3:7] = True
    labels = np.arange(N, dtype=np.int64) % 3
    return Dataset(
        task=PHANTOM,
        images=rng.random((N, 1, SIDE, SIDE), dtype=np.float32),
        masks=masks,
        labels=labels,
        ids=np.arange(1, N + 1).astype(str),
        patients=tuple(f"P{i // 2}" for i in range(N)),
        scaling="thesis",
        image_size=SIDE,
    )


class Noise:
    """Predicts something that is the same each time."""

    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(images, np.tile([0.5, 0.25, 0.25], (len(images), 1)))


def work(folder: Path) -> Work:
    return Work.on(dataset(), SPLIT, Protocol(image_size=SIDE), Recipe(), 7, folder)


def run_folder(folder: Path) -> RunStore:
    """A finished run of one case with curves, masks and a speed."""
    run = RunStore(folder)
    folder.mkdir(exist_ok=True)
    (folder / "given.csv").write_text("epoch,train_loss,seconds\n1,0.5,2\n2,0.25,2.5\n")
    run.save_info(RunInfo(tier="smoke", command="pytest", baseline="b", task=PHANTOM, data="d", started="now"))
    run.save_split(split_file(SPLIT, dataset()))
    prepared = Prepared(Noise(), "given", curves=folder / "given.csv")
    case = Case("X", "case X", prepare=lambda w: prepared, has_mask=True, has_classes=True)
    with patch("btlib.runs.execute.code_of", lambda case: None):  # whether this file is committed does not matter
        run_case(case, work(folder / "checkpoints"), "smoke", run, HeldOut(dataset(), dataset(), SPLIT))
    timing = Timing(images=1, seconds=[1.0, 1.5])
    Speed(case="X", figures={"inference": timing}).save(folder / "speed" / "X.json")  # as a run of before has it
    (folder / "given.csv").unlink()
    return run


def only(*patterns: str) -> Callable[[Path], list[Path]]:
    """A run, of which these files are damaged."""

    def make(folder: Path) -> list[Path]:
        run_folder(folder)
        return [path for pattern in patterns for path in sorted(folder.glob(pattern))]

    return make


def record_of(folder: Path) -> CaseRecord:
    return RunStore(folder).records()[0]


def read_curves(folder: Path) -> str:
    run = RunStore(folder)
    if hasattr(run, "curves"):
        found = run.curves(record_of(folder))
    else:  # as it was before records knew their curves
        from btlib.runs.curves import load_curves

        found = load_curves(run.curves_path(Cell("X", 7)))
    return str(found.to_csv())


def read_masks(folder: Path) -> str:
    found = Masks.load(RunStore(folder).masks_path(Cell("X", 7)))
    return digest(found.ids, found.packed, found.width)


def make_maps(folder: Path) -> list[Path]:
    labels, maps = np.arange(3), np.random.default_rng(0).random((3, 24, 24), dtype=np.float32)
    Maps(labels.astype(str), labels, np.array([0.5, 0.25, 1]), maps, maps / 2, "identity").save(folder / "a.npz")
    return [folder / "a.npz"]


def read_maps(folder: Path) -> str:
    found = Maps.load(folder / "a.npz")
    return digest(found.ids, found.label, found.base, found.total, found.average, found.identity)


def make_slice(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 4000, (20, 24)).astype(np.int16)
    write_slice(folder / "1.mat", image, image > 3000, 2, patient="PH0001", origin="phantom")
    return [folder / "1.mat"]


def read_slices(folder: Path) -> str:
    s = read_slice(folder / "1.mat")
    return digest(s.image, s.mask, s.label, s.patient or "", s.origin)


def make_public_slice(folder: Path) -> list[Path]:
    """As the public files are: packed, and without a digest of btlib's."""
    make_slice(folder)
    with h5py.File(folder / "1.mat", "r+") as file:
        for name in ("btlib_digest", "btlib_origin"):
            file["cjdata"].attrs.pop(name, None)
    return [folder / "1.mat"]


def make_folds(folder: Path) -> list[Path]:
    with h5py.File(folder / "cvind.mat", "w", userblock_size=512) as file:
        file.create_dataset("cvind", data=np.arange(400.0).reshape(1, -1) % 5 + 1, compression="gzip", fletcher32=True)
    return [folder / "cvind.mat"]


def make_old_folds(folder: Path) -> list[Path]:
    from scipy.io import savemat

    savemat(folder / "cvind.mat", {"cvind": np.arange(400.0) % 5 + 1}, do_compression=True)
    return [folder / "cvind.mat"]


def make_npz_predictions(folder: Path) -> list[Path]:
    return [save_predictions(folder / "a.npz", dataset(), Noise())]


def hdf5_predictions(name: str, dtype: str) -> Callable[[Path], list[Path]]:
    """Predictions whose samples are named by this data set."""

    def make(folder: Path) -> list[Path]:
        said = Noise().predict(dataset().images)
        with h5py.File(folder / "a.h5", "w", libver="latest") as file:  # with checksums of all that is no value
            arrays = {name: dataset().ids.astype(dtype), "mask_prob": said.mask_prob, "class_prob": said.class_prob}
            for key, values in arrays.items():
                file.create_dataset(key, data=values, chunks=values.shape, compression="gzip", fletcher32=True)
        return [folder / "a.h5"]

    return make


def read_predictions(folder: Path) -> str:
    path = next(path for path in folder.iterdir() if path.suffix in (".npz", ".h5"))
    said = SavedPredictions(path).look_up(dataset().ids, dataset().images)
    return digest(said.mask_prob, said.class_prob)


def make_baseline(folder: Path) -> list[Path]:
    from btlib.gate.acceptance import accept, propose

    run_folder(folder / "run")
    accept(propose(folder / "run", "mine", "because"), folder / "mine.json")
    return [folder / "mine.json"]


def make_judgement(folder: Path) -> list[Path]:
    make_baseline(folder)
    judge_run(RunStore(folder / "run"), Baseline.load(folder / "mine.json"))
    return [folder / "run" / "judgement.json"]


def make_fitted(folder: Path) -> list[Path]:
    read_fitted(folder)
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in (".json", ".npy")]


def read_fitted(folder: Path) -> str:
    fitted = fit_or_load(
        *(work(folder), "net", lambda place: np.arange(9.0)),
        save=lambda model, place: np.save(place / "a.npy", model),
        load=lambda place: np.load(place / "a.npy"),
    )
    return digest(fitted.model)


def make_cached(folder: Path) -> list[Path]:
    for i in range(3):
        image = np.random.default_rng(i).integers(0, 4000, (20, 24)).astype(np.int16)
        write_slice(folder / "data" / f"{i + 1}.mat", image, image > 3000, i, patient=f"P{i}", origin="phantom")
    read_cached(folder)
    return [path for path in sorted((folder / "cache").rglob("*")) if path.is_file() and path.suffix != ".lock"]


def read_cached(folder: Path) -> str:
    import os

    before = os.environ.get("BTLIB_CACHE")
    os.environ["BTLIB_CACHE"] = str(folder / "cache")
    try:
        found = load_dataset(folder / "data", SIDE)
        return digest(np.asarray(found.images), np.asarray(found.masks), found.labels, found.ids, *found.patients)
    finally:
        os.environ["BTLIB_CACHE"] = before or ""


def make_archive(folder: Path) -> list[Path]:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in (1, 2):
            archive.writestr(f"{i}.mat", np.random.default_rng(i).bytes(300) + bytes(300))
    return [folder / "a.zip"]


def read_archive(folder: Path) -> str:
    _unpack(folder / "a.zip", folder / "data")
    return digest(*[item for path in sorted((folder / "data").iterdir()) for item in (path.name, path.read_bytes())])


def make_checkpoint(folder: Path) -> list[Path]:
    import torch

    from btlib import files, fingerprint
    from btlib.thesis.models import create

    path = folder / "D-1.ckpt"
    torch.manual_seed(0)
    torch.save({"variant": "D", "fingerprint": "1", "state_dict": create("D", backbone="tiny").state_dict()}, path)
    recipe = {"name": "r", "epochs": 1, "backbone": "tiny", "drifting_batch_norm": False}
    manifest: dict[str, Any] = {
        "schema": "btlib-checkpoint/1",
        "variant": "D",
        "fingerprint": "1",
        "ingredients": {"recipe": recipe, "image_size": SIDE, "seed": 7},
        "sha256": fingerprint.of_file(path),
        "created": "now",
    }
    files.write_json(path.with_suffix(".json"), files.sealed(manifest) if hasattr(files, "sealed") else manifest)
    return [path, path.with_suffix(".json")]


def read_checkpoint(folder: Path) -> str:
    from btlib.thesis.checkpoints import find_stored, load_stored

    found = load_stored(find_stored(folder, "D"), "D")
    return digest(*(value.numpy() for value in found.model.state_dict().values()), json.dumps(dict(found.manifest)))


def make_state(folder: Path) -> list[Path]:
    import torch

    torch.manual_seed(0)
    from btlib.adapters.state import StateFile

    state = {"epochs": 3, "parts": {"model": torch.nn.Linear(40, 40).state_dict()}}
    StateFile(folder / "a.ckpt").write(lambda path: torch.save(state, path))
    return [folder / "a.ckpt"]


def read_state(folder: Path) -> str:
    from btlib.adapters.state import StateFile

    state = StateFile(folder / "a.ckpt").read("epochs")
    if state is None:
        return "none"
    return digest(state["epochs"], *(value.numpy() for value in state["parts"]["model"].values()))


def stored(read: Callable[[Path], Any]) -> Callable[[Path], str]:
    """The content of a value with a schema."""
    return lambda folder: str(read(folder).model_dump_json())


READERS: dict[str, Reader] = {
    "slice (phantom)": Reader(make_slice, read_slices),
    "folds (MATLAB v5)": Reader(make_old_folds, lambda folder: digest(read_cvind(folder))),
    "predictions (npz)": Reader(make_npz_predictions, read_predictions),
    "predictions (HDF5)": Reader(hdf5_predictions("number", "i8"), read_predictions),
    "predictions (HDF5, ids)": Reader(hdf5_predictions("id", "S8"), read_predictions),
    "record": Reader(only("records/*.json"), stored(record_of)),
    "run.json": Reader(only("run.json"), stored(lambda folder: RunStore(folder).info())),
    "split.json": Reader(only("split.json"), stored(lambda folder: RunStore(folder).split())),
    "speed": Reader(only("speed/*.json"), stored(lambda folder: RunStore(folder).speeds()["X"])),
    "curves": Reader(only("curves/*.csv"), read_curves),
    "masks": Reader(only("predictions/*.npz"), read_masks),
    "maps": Reader(make_maps, read_maps),
    "baseline": Reader(make_baseline, stored(lambda folder: Baseline.load(folder / "mine.json"))),
    "judgement.json": Reader(make_judgement, stored(lambda folder: Judgement.load(folder / "run" / "judgement.json"))),
    "model of fit_or_load": Reader(make_fitted, read_fitted, rebuilds=True),
    "cache of slices": Reader(make_cached, read_cached, rebuilds=True),
    "zip file of slices": Reader(make_archive, read_archive),
    "checkpoint": Reader(make_checkpoint, read_checkpoint),
    "state of a training": Reader(make_state, read_state, rebuilds=True),
}

WITH_TORCH = ("checkpoint", "state of a training")

PUBLIC: dict[str, Reader] = {
    "slice (public)": Reader(make_public_slice, read_slices),
    "folds (MATLAB v7.3)": Reader(make_folds, lambda folder: digest(read_cvind(folder))),
}
"""Files of others: what is not packed in them has no checksum, so a changed label cannot be noticed."""


def quiet(read: Callable[[Path], str], folder: Path) -> tuple[str, bool]:
    """What is read, and whether a warning told of damage."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        return read(folder), bool(told)
