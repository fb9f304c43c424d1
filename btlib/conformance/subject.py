"""Subject of the checks: a case with a small training setup and a few samples."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from btlib.adapters.device_choice import Device
from btlib.cases import Case, Prepared, Work
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.data.dataset import Samples
from btlib.errors import BtlibError
from btlib.evaluation.predictor import Predictor, ask, ask_uncopied, require_all
from btlib.evaluation.saved import SavedPredictions
from btlib.protocol import Protocol, Recipe
from btlib.splits import make_split
from btlib.types import Predictions

_PHANTOMS = 40
_SAMPLES = 6  # number of test samples, enough for batches of several sizes
_SIDE = 64
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
    """

    case: Case
    work: Work
    samples: Samples
    images: NDArray[np.float32]
    tested: NDArray[np.str_]
    _ready: Prepared | None = field(default=None)

    def first(self) -> Prepared:
        """Return the result of preparing the case for the first time."""
        if self._ready is None:
            self._ready = self.prepare()
        return self._ready

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
            BtlibError: The case did not return `Prepared` with a predictor.
        """
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
            PredictionError: Test samples are missing.
        """
        require_all(self.predictor, self.tested, "test samples")

    def predict(self, at: NDArray[np.int64] | slice = slice(None), predictor: Predictor | None = None) -> Predictions:
        """Predict the samples at some positions, all by default, and copy the arrays."""
        return ask(self.predictor if predictor is None else predictor, self.samples.ids[at], self.images[at].copy())

    def predict_uncopied(self, at: NDArray[np.int64] | slice = slice(None)) -> Predictions:
        """Predict as `predict`, but without copying the predictor's arrays."""
        return ask_uncopied(self.predictor, self.samples.ids[at], self.images[at].copy())


def make_subject(case: Case, checkpoints: Path, data: Path | None = None, device: Device = "auto") -> Subject:
    """Set up the checks of a case, on phantoms or on the samples of a folder.

    Args:
        case: The case.
        checkpoints: Empty folder for checkpoints.
        data: Folder of samples; None uses phantoms.
        device: Device to train and predict on.
    """
    protocol = Protocol(image_size=case.image_size or _SIDE, scaling=case.scaling or Protocol.scaling)
    folder = data or phantom_folder(cache_root() / "phantoms", _PHANTOMS)
    dataset = load_dataset(folder, protocol.image_size, protocol.scaling)
    split = make_split(protocol.split, dataset)
    at = split.test[:_SAMPLES]
    more = {"device": device, "precision": "fp32", "case": case.name}
    work = Work.on(dataset, split, protocol, _RECIPE, 42, checkpoints, **more)
    samples = dataset.part(at)
    images = np.array(samples.images, dtype=np.float32)
    return Subject(case, work, samples, images, dataset.ids[split.test])
