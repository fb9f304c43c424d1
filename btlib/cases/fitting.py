"""Train a case's model once, and load it from then on: for any framework, by the identity of all that made it."""

import contextlib
import inspect
import re
import shutil
import time
import warnings
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
from btlib.errors import BtlibError, BtlibWarning, CheckpointError
from btlib.evaluation.predictor import Predictor
from btlib.files import DamagedFileError
from btlib.speed import determinism

SCHEMA = "btlib-fitted/1"
_LONGEST = 80  # of the part of a folder's name that is for people; the fingerprint tells models apart

M = TypeVar("M")


@dataclass(frozen=True, eq=False)
class FittedModel(Generic[M]):
    """A model and where it comes from.

    Attributes:
        model: What `fit` or `load` returned.
        source: "trained" now, "resumed" from what an interrupted run left, or "loaded".
        seconds: Time of the training now, without what an interrupted run spent; 0 where it was loaded.
        fingerprint: Identity of all that made it.
        folder: Where it lies.
    """

    model: M
    source: Literal["trained", "resumed", "loaded"]
    seconds: float
    fingerprint: str
    folder: Path

    def prepared(self, predictor: Predictor, **more: Any) -> Prepared:
        """What a case returns: the predictor, and what is known of the model; `more` are fields of `Prepared`."""
        details = {"checkpoint": self.folder.name, **more.pop("details", {})}
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
    """The case's model: loaded where it was made from the very same ingredients, else trained and kept.

    Ingredients are the case's name and file, `fit` and its source file (but for comments and docstrings), the values
    that `fit` closes over (see `btlib.cases.closure`), `work`'s recipe, data, size, scaling, split, seed and precision,
    and `depends_on`. A model is kept whole or not at all; several processes may ask at once.
    What `fit` left in its folder when it was interrupted is there again the next time the same model is asked for,
    unless it is to be trained anew (`work.retrain`).

    Args:
        work: What the case was given.
        name: Short and unique; begins the folder's name in `work.checkpoints`.
        fit: Trains a model; a function or lambda in the case's own file. It is given a folder for what it needs to go
            on after an interruption (for PyTorch see `btlib.adapters.Progress`), and need not use it.
        save: Writes the model into a folder, as any files.
        load: Reads it from there.
        depends_on: Plain JSON values that decide the model too, such as the version of a library.

    Raises:
        BtlibError: `fit` comes from no file, or closes over a value of which no fingerprint can be taken.
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
            shutil.rmtree(at)  # what cannot be cleared away must not be gone on with
        with _workplace(at) as (workplace, used):
            model = fit(workplace)
            seconds = time.perf_counter() - began
            used = used and not any(workplace.glob("*.damaged"))  # it started again
            _store(folder, partial(save, model), {"ingredients": ingredients, "seconds": seconds})
        return FittedModel(model, "resumed" if used else "trained", seconds, identity, folder)


def _ingredients(work: Work, name: str, fit: Callable[..., Any], depends_on: Any) -> dict[str, Any]:
    try:
        code = _code_of(fit)
    except (TypeError, OSError) as error:
        raise BtlibError(
            "its source file cannot be found, so it cannot be told whether a stored model is of the same code",
            where=f"fit of {name}",
            hint="pass a function or lambda that stands in the case's file",
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
    """Why it is trained: what differs from the nearest model that is stored under the same name."""
    if work.retrain:
        return "trained anew, as asked"
    stored = map(_manifest, work.checkpoints.glob(f"{stem}-{'[0-9a-f]' * fingerprint.LENGTH}"))
    return fingerprint.no_model_fits(ingredients, stored) or "training"


def _manifest(folder: Path) -> dict[str, Any] | None:
    """What is told of the model in a folder; None where that cannot be read."""
    try:
        manifest = stored_folder.read_manifest(folder, SCHEMA)
    except (OSError, DamagedFileError):
        return None
    return manifest if isinstance(manifest.get("ingredients"), dict) else None


def _code_of_case(name: str) -> str | None:
    """Of the file that registered the case, which may be another one than that of `fit`."""
    if name not in CASES or (case := CASES[name]).file is None:
        return None
    _, case_file, imported = case.module.partition(MODULE)
    return imported if case_file else fingerprint.of_sources([case.file])


def _code_of(fit: Callable[..., Any]) -> str:
    """Of `fit`'s file: as it was imported, if as a case's file, for what is edited since then is not what runs."""
    definition = definition_of(fit)
    source = Path(inspect.getsourcefile(definition) or "")
    _, case_file, imported = (definition.__module__ or "").partition(MODULE)
    return imported if case_file else fingerprint.of_sources([source])


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[tuple[Path, bool]]:
    """A folder that stays, unless it is empty, until the block ends without an error; and whether it held anything."""
    folder.mkdir(exist_ok=True)
    used = any(not path.name.startswith(".") for path in folder.iterdir())  # unlike a file that was half written
    try:
        yield folder, used
        shutil.rmtree(folder, ignore_errors=True)  # the model is kept by now, whatever stays here
    finally:
        with contextlib.suppress(OSError):  # it is not empty, or gone
            folder.rmdir()


def _whole(folder: Path) -> bool:
    """Whether a model lies there as it was written; a damaged one is set aside."""
    if not folder.is_dir():
        return False
    try:
        stored_folder.verify_folder(folder, SCHEMA)
    except (OSError, DamagedFileError) as error:
        aside = stored_folder.set_aside(folder)
        warnings.warn(f"{folder}: damaged ({error}); kept as {aside.name}, trained anew", BtlibWarning, stacklevel=3)
        return False
    return True


def _store(folder: Path, save: Callable[[Path], object], facts: dict[str, Any]) -> None:
    try:
        stored_folder.write_folder(folder, SCHEMA, save, facts)
    except stored_folder.NothingWrittenError as error:
        raise CheckpointError(str(error), where=folder, hint="write the model into the folder it is given") from error
