"""Subject of the checks: a case with a small training setup and a few samples."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.device_choice import Device
from btlib.cases import Case, Prepared, Work
from btlib.cases.checks import check_asked
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.data.dataset import Samples
from btlib.data.load import open_source
from btlib.data.source import DatasetSource
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.task import Task
from btlib.errors import BtlibError, foreign_faults
from btlib.evaluation.checks import in_shape
from btlib.evaluation.predictor import Predictor, ask, ask_uncopied, require_all, require_known
from btlib.evaluation.saved import MissingSamplesError, SavedPredictions
from btlib.protocol import Protocol, Recipe
from btlib.splits import make_split
from btlib.types import Predictions, Scaling

_PHANTOMS = 40
_SAMPLES = 6  # number of test samples, enough for batches of several sizes
_SIDE = 64
_LARGEST = 256  # side in pixels of the largest phantoms that are drawn; larger images are interpolated
_EXTREME = 1000.0  # factor on intensities at which logits are far from 0
_RECIPE = Recipe(name="check", quick=True, epochs=1, batch_size=8, learning_rate=3e-3)


@dataclass(eq=False)
class Subject:
    """Case that is checked, with its work and samples.

    Attributes:
        case: The case.
        work: Work given to the case: one epoch of the smallest backbone in fp32, with a separate checkpoint folder.
        samples: Samples to predict.
        images: Images of these samples, float32 [n, channels, h, w].
        tested: Ids of all test samples.
        real: Function that returns the subject on real samples, for saved predictions; None if there is none.
        split: Name of the split of the test samples.
        known: Ids of all samples of the data set, if saved predictions may have no others; None on phantoms.
    """

    case: Case
    work: Work
    samples: Samples
    images: NDArray[np.float32]
    tested: NDArray[np.str_]
    real: "Callable[[], Subject] | None" = None
    split: str = Protocol.split
    known: NDArray[np.str_] | None = None
    _ready: Prepared | None = field(default=None)

    def first(self) -> Prepared:
        """Return the result of preparing the case for the first time.

        A case with saved predictions is then examined on the real samples of the folder, because the ids of phantoms
        are not in its file.
        """
        if self._ready is None:
            self._ready = self._prepared()
        return self._ready

    def _prepared(self) -> Prepared:
        try:
            ready = self.prepare()
        except MissingSamplesError:  # the case itself asked its saved predictions for training samples
            if self.real is None:
                raise
        else:
            if self.real is None or not isinstance(ready.predictor, SavedPredictions):
                return ready
        real = self.real()
        self.work, self.samples, self.images, self.tested = real.work, real.samples, real.images, real.tested
        self.known, self.split, self.real = real.known, real.split, None
        return self.prepare()

    @property
    def predictor(self) -> Predictor:
        """Predictor of the case, prepared on first use."""
        return self.first().predictor

    @property
    def is_saved(self) -> bool:
        """Whether the predictor is saved predictions, which are looked up by id."""
        return isinstance(self.predictor, SavedPredictions)

    def prepare(self) -> Prepared:
        """Prepare the case. The second and later calls can use the checkpoints that the first call stored.

        Raises:
            BtlibError: The case did not return `Prepared` with a predictor, or the task lacks what it predicts.
        """
        check_asked(self.case, self.work.task)
        prepared = self.case.prepare(self.work)
        if not (isinstance(prepared, Prepared) and isinstance(prepared.predictor, Predictor)):
            raise BtlibError(
                f"prepare returned {type(prepared).__name__}, expected Prepared with a predictor",
                hint='return Prepared(predictor, "given"), where predictor.predict(images) returns Predictions',
            )
        return prepared

    def require_all(self) -> None:
        """Check that saved predictions contain all test samples, not only those that are predicted here.

        Raises:
            PredictionError: Test samples are missing, or there are samples outside the data set.
        """
        if self.known is not None:
            require_known(self.predictor, self.known)
        require_all(self.predictor, self.tested, f"test samples of the split {self.split}")

    def predict(self, at: NDArray[np.int64] | slice = slice(None), predictor: Predictor | None = None) -> Predictions:
        """Predict the samples at some positions, all by default, and copy the arrays."""
        return ask(self.predictor if predictor is None else predictor, self.samples.ids[at], self.images[at].copy())

    def predict_extremes(self) -> Predictions | None:
        """Predict images of extreme intensities; None if the case refuses them or has saved predictions.

        Values that are not finite are left out.
        """
        if self.is_saved:
            return None
        parts = []
        for probe in (self.images * _EXTREME, self.images * -_EXTREME, _noise(self.images.shape)):
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found = ask(self.predictor, self.samples.ids, probe)
                    parts.append(in_shape(found, probe.shape, self.samples.task, "predict"))
            except foreign_faults():  # no model has to accept such images
                return None
        joined = [_finite([getattr(part, name) for part in parts]) for name in ("mask_prob", "class_prob")]
        return Predictions(*joined)

    def predict_uncopied(self, at: NDArray[np.int64] | slice = slice(None)) -> Predictions:
        """Predict as `predict`, but without copying the predictor's arrays."""
        return ask_uncopied(self.predictor, self.samples.ids[at], self.images[at].copy())


def _noise(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return images of strong noise; the same in every call."""
    return np.random.default_rng(0).normal(0, _EXTREME, shape).astype(np.float32)


def _finite(parts: list[NDArray[np.floating] | None]) -> NDArray[np.floating] | None:
    """Join the probabilities of several batches, without the samples that have values that are not finite."""
    there = [part for part in parts if part is not None]
    if len(there) < len(parts):
        return None
    joined = np.concatenate(there)
    return joined[np.isfinite(joined).reshape(len(joined), -1).all(axis=1)]


def make_subject(
    case: Case,
    checkpoints: Path,
    data: Path | None = None,
    device: Device = "auto",
    *,
    image_size: int | None = None,
    scaling: Scaling | None = None,
    split: str | None = None,
) -> Subject:
    """Set up the checks of a case on phantoms: of the Figshare task, or of the task of a folder.

    Args:
        case: The case.
        checkpoints: Empty folder for checkpoints.
        data: Folder of samples. Phantoms with its channels, classes and structures are drawn; only saved predictions
            are examined on the samples themselves. None uses phantoms of the Figshare task.
        device: Device to train and predict on.
        image_size: Side of the images in pixels, as the run gives them, if the case does not declare a size. None: the
            protocol's default with `data`, as in the tier full; 64 otherwise, as in the tier smoke.
        scaling: Scaling of the images, if the case does not declare one. None: "percentile" with `data`, because it
            gives 0…1, as "thesis" does for images of 8 bits; "thesis" otherwise.
        split: Split whose test samples saved predictions must contain; None: the protocol's default.

    Raises:
        DataError: The folder is not valid.
    """
    usual: tuple[int, Scaling] = (_SIDE, "thesis") if data is None else (Protocol.image_size, "percentile")
    protocol = Protocol(
        image_size=case.image_size or image_size or usual[0],
        scaling=case.scaling or scaling or usual[1],
        split=split or Protocol.split,
    )
    if data is None:
        phantoms = phantom_folder(cache_root() / "phantoms", _PHANTOMS)
        return _subject(case, checkpoints, phantoms, device, protocol)
    source = open_source(data)
    drawn = replace(protocol, split=Protocol.split)  # phantoms have no other split
    subject = _subject(case, checkpoints, phantoms_of(source.task, protocol.image_size), device, drawn)
    subject.real = lambda: _subject(case, checkpoints, source, device, protocol, complete=True)
    return subject


def phantoms_of(task: Task, image_size: int) -> PhantomSource:
    """Return phantoms with the channels, classes and structures of a task, a few of each class."""
    n = max(_PHANTOMS, 4 * len(task.classes))
    synthetic = task.model_copy(update={"synthetic": True})
    return PhantomSource(synthetic, n, size=min(image_size, _LARGEST), each=2)


def _subject(
    case: Case,
    checkpoints: Path,
    source: DatasetSource | Path,
    device: Device,
    protocol: Protocol,
    *,
    complete: bool = False,
) -> Subject:
    dataset = load_dataset(source, protocol.image_size, protocol.scaling)
    split = make_split(protocol.split, dataset)
    at = split.test[:_SAMPLES]
    more = {"device": device, "precision": "fp32", "case": case.name}
    work = Work.on(dataset, split, protocol, _RECIPE, 42, checkpoints, **more)
    samples = dataset.part(at)
    images = np.array(samples.images, dtype=np.float32)
    known = dataset.ids if complete else None
    return Subject(case, work, samples, images, dataset.ids[split.test], split=protocol.split, known=known)
