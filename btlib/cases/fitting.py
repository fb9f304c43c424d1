"""Train a case's model once and load it afterwards, for any framework. Models are identified by their ingredients."""

import contextlib
import inspect
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from filelock import FileLock

from btlib import fingerprint, stored_folder
from btlib.cases.case import CASES, Prepared, Work, definition_of
from btlib.cases.closure import closure_of
from btlib.cases.load import MODULE
from btlib.data.cache import PREPROCESSING
from btlib.errors import BtlibError, CheckpointError, warn
from btlib.evaluation.predictor import Predictor
from btlib.files import DamagedFileError
from btlib.speed import determinism

SCHEMA = "btlib-fitted/1"
_LONGEST = 80  # characters of the readable part of a folder's name; the fingerprint distinguishes models

M = TypeVar("M")


@dataclass(frozen=True, eq=False)
class FittedModel(Generic[M]):
    """Model with its origin.

    Attributes:
        model: Return value of `fit` or `load`.
        source: "trained" now, "resumed" from an interrupted training, or "loaded".
        seconds: Time of the training now, without the time of an interrupted training; 0 if the model was loaded.
        fingerprint: Identity of all ingredients of the model.
        folder: Folder of the stored model.
    """

    model: M
    source: Literal["trained", "resumed", "loaded"]
    seconds: float
    fingerprint: str
    folder: Path

    def prepared(self, predictor: Predictor, **more: Any) -> Prepared:
        """Return the `Prepared` of a case, with the predictor and this model's facts; `more` sets further fields."""
        details = {"checkpoint": self.folder.name, **more.pop("details", {})}
        more = {"file_digest": stored_folder.digest(self.folder), **more}
        return Prepared(predictor, self.source, self.seconds, self.fingerprint, details, **more)


def fit_or_load(
    work: Work,
    name: str,
    fit: Callable[[Path], M],
    *,
    save: Callable[[M, Path], object],
    load: Callable[[Path], M],
    depends_on: Any = None,
) -> FittedModel[M]:
    """Load the case's model if it is stored with exactly the same ingredients; else train and store it.

    Ingredients are the case's name and file, `fit` and its source file (without comments and docstrings), the values
    that `fit` closes over (see `btlib.cases.closure`), recipe, data, size, scaling, split, seed and precision of
    `work`, and `depends_on`. A model is stored completely or not at all. Several processes may call this at the same
    time. Files that an interrupted `fit` left in its folder are available at the next call for the same model, except
    with `work.retrain`.

    Args:
        work: The `Work` of the case.
        name: Short unique name; prefix of the folder's name in `work.checkpoints`.
        fit: Function or lambda in the case's own file that trains a model. It receives a folder in which it may store
            its state, to resume after an interruption (for PyTorch see `btlib.adapters.Progress`).
        save: Function that writes the model into a folder, as any files.
        load: Function that reads the model from this folder.
        depends_on: Further plain JSON values that decide the model, such as the version of a library.

    Raises:
        BtlibError: `fit` has no source file, or closes over a value without a fingerprint.
        CheckpointError: `save` wrote nothing.
    """
    ingredients = _ingredients(work, name, fit, depends_on)
    identity = fingerprint.of(ingredients)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:_LONGEST]
    folder = work.checkpoints / f"{stem}-{identity}"
    (work.checkpoints / "work").mkdir(parents=True, exist_ok=True)
    with FileLock(work.checkpoints / "work" / f"{folder.name}.lock"):
        if not work.retrain and _whole(folder):
            return FittedModel(load(folder), "loaded", 0.0, identity, folder)
        work.report(f"{name}, seed {work.seed}: {_why(work, stem, ingredients)}")
        began = time.perf_counter()
        at = work.checkpoints / "work" / folder.name
        if work.retrain and at.exists():
            shutil.rmtree(at)  # raises if it fails: the training must not resume from these files
        with _workplace(at) as (workplace, used):
            model = fit(workplace)
            seconds = time.perf_counter() - began
            used = used and not any(workplace.glob("*.damaged"))  # a damaged state was not used
            _store(folder, partial(save, model), {"ingredients": ingredients, "seconds": seconds})
        return FittedModel(model, "resumed" if used else "trained", seconds, identity, folder)


def _ingredients(work: Work, name: str, fit: Callable[..., Any], depends_on: Any) -> dict[str, Any]:
    try:
        code = _code_of(fit)
    except (TypeError, OSError) as error:
        raise BtlibError(
            "the source file cannot be found; without it, a stored model cannot be matched to the code",
            where=f"fit of {name}",
            hint="pass a function or lambda defined in the case's file",
        ) from error
    return {
        "case": work.case,
        "name": name,
        "code": code,
        "case_code": _code_of_case(work.case),
        "closure": closure_of(fit, work, where=f"fit of {name}"),
        "recipe": work.recipe.identity(),
        "task": work.task.shape,
        "data": work.data,
        "image_size": work.train.image_size,
        "scaling": work.train.scaling,
        "split": work.split,
        "seed": work.seed,
        "precision": work.precision,
        "preprocessing": PREPROCESSING,
        "depends_on": depends_on,
        **({"deterministic": determinism.threads()} if work.deterministic else {}),
    }


def _why(work: Work, stem: str, ingredients: dict[str, Any]) -> str:
    """Return why the model is trained: the differences from the most similar stored model with the same name."""
    if work.retrain:
        return "training again, as requested"
    stored = map(_manifest, work.checkpoints.glob(f"{stem}-{'[0-9a-f]' * fingerprint.LENGTH}"))
    return fingerprint.no_model_fits(ingredients, stored) or "training"


def _manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest of the model in a folder; None if it cannot be read."""
    try:
        manifest = stored_folder.read_manifest(folder, SCHEMA)
    except (OSError, DamagedFileError):
        return None
    return manifest if isinstance(manifest.get("ingredients"), dict) else None


def _code_of_case(name: str) -> str | None:
    """Return the fingerprint of the file that registered the case. It may differ from the file of `fit`."""
    if name not in CASES or (case := CASES[name]).file is None:
        return None
    _, case_file, imported = case.module.partition(MODULE)
    return imported if case_file else fingerprint.of_sources([case.file])


def _code_of(fit: Callable[..., Any]) -> str:
    """Return the fingerprint of the file of `fit`. For a case's file it is the imported state, not a later edit."""
    definition = definition_of(fit)
    source = Path(inspect.getsourcefile(definition) or "")
    _, case_file, imported = (definition.__module__ or "").partition(MODULE)
    return imported if case_file else fingerprint.of_sources([source])


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Context with a work folder, and whether it already contained files. It is deleted after success or if empty."""
    folder.mkdir(exist_ok=True)
    used = any(not path.name.startswith(".") for path in folder.iterdir())  # "." marks half-written files
    try:
        yield folder, used
        shutil.rmtree(folder, ignore_errors=True)  # the model is stored by now
    finally:
        with contextlib.suppress(OSError):  # it is not empty, or gone
            folder.rmdir()


def _whole(folder: Path) -> bool:
    """Whether the folder contains an undamaged model. A damaged folder is renamed, with a warning."""
    if not folder.is_dir():
        return False
    try:
        stored_folder.verify_folder(folder, SCHEMA)
    except (OSError, DamagedFileError) as error:
        aside = stored_folder.set_aside(folder)
        text = f"{folder}: damaged ({error}); the folder was renamed to {aside.name}, and the model is trained again"
        warn(text, stacklevel=3)
        return False
    return True


def _store(folder: Path, save: Callable[[Path], object], facts: dict[str, Any]) -> None:
    try:
        stored_folder.write_folder(folder, SCHEMA, save, facts)
    except stored_folder.NothingWrittenError as error:
        raise CheckpointError(str(error), where=folder, hint="write the model into the given folder") from error
