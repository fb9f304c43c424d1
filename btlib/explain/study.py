"""Study of one case: its samples are explained, measured and stored. An interrupted study can be resumed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.data.dataset import Dataset
from btlib.explain.explained import Explained, ExplainedSample, Sanity
from btlib.explain.explainer import Explainer
from btlib.explain.maps import Maps
from btlib.explain.measured import measured
from btlib.explain.measures import centre_prior
from btlib.explain.occlusion import Fill
from btlib.explain.patches import STEPS, scaled
from btlib.explain.place import ExplainPlace
from btlib.explain.probability import probability_of
from btlib.explain.stored import Done, known, store
from btlib.ranges import WHOLE
from btlib.splits import Split

_SAVE_EVERY = 30.0  # seconds
_PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Study:
    """Study that explains samples of one case.

    Attributes:
        case: Name of the case.
        explainer: Explainer of the case's model.
        dataset: Samples, preprocessed as for the model.
        split: Split that defines whether a sample was used for training, validation or testing.
        model: Fingerprint of the trained model; None if it has none, and then maps of earlier studies are not reused.
        report: Function that gets a message for each sample.
        built: Time to build the explainer in seconds; it is added to the time for the maps.
    """

    case: str
    explainer: Explainer
    dataset: Dataset
    split: Split
    model: str | None = None
    report: Callable[[str], None] = field(default=lambda line: None)
    built: float = 0.0

    @property
    def identity(self) -> str | None:
        """Fingerprint of everything that determines the maps except the samples' ids; None if the model has none."""
        if self.model is None:
            return None
        how = self.explainer
        return fingerprint.of(
            self.model,
            self.dataset.fingerprint,
            self.split.fingerprint,
            self.dataset.image_size,
            self.dataset.scaling,
            [how.patch, how.stride, how.fill, how.fast.engine, how.fast.precision],
        )

    def with_settings(self, patch: int | None = None, stride: int | None = None, fill: Fill = "zero") -> "Study":
        """Return the same study with another patch and stride in pixels, and another fill.

        Args:
            patch: Side of the patch in pixels; None scales the thesis's patch to the size of the samples.
            stride: Stride in pixels; None uses a quarter of the patch, as in the thesis.
            fill: Fill of a hidden patch.
        """
        fitting, _ = scaled(self.dataset.image_size)
        patch = fitting if patch is None else patch
        stride = max(patch // STEPS, 1) if stride is None else stride
        return replace(self, explainer=replace(self.explainer, patch=patch, stride=stride, fill=fill))

    def sure(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the probability of the true class for the samples at some positions, float64 [n].

        Raises:
            PredictionError: The predictor returns no class probabilities.
        """
        images, labels = self.dataset.images, self.dataset.strata
        score = [
            probability_of(self.explainer.fast.predictor, label) for label in range(len(self.dataset.task.classes))
        ]
        return np.array([float(score[labels[i]](np.array(images[i : i + 1]))[0]) for i in at.tolist()])

    def run(self, at: NDArray[np.int64], place: ExplainPlace, *, sanity: int = 0) -> tuple[Explained, Maps]:
        """Explain the true class of samples, and write `explain/<case>.{npz,json,csv}`.

        Args:
            at: Positions in the data set; the masks of these samples must be neither empty nor full.
            place: Folder to write to; stored maps of the same identity are reused.
            sanity: Number of draws for the sanity check, which uses the first sample of each class; 0 disables it.

        Raises:
            PredictionError: The predictor returns no class probabilities.
            OptionError: Patch, stride and samples do not fit each other, or the number of draws is below 0.
            StatsError: No tumour pixel of a sample lies under a patch.
        """
        WHOLE.require(sanity, "number of draws of the sanity check")
        stored = known(place, self.case, self.identity)
        done: list[Done] = []
        seconds, saved = self.built, time.perf_counter()
        for i in at.tolist():
            name = str(self.dataset.ids[i])
            if name in stored:
                self.report(f"sample {name}: reusing the stored map")
                done.append(stored[name])
                continue
            began = time.perf_counter()
            done.append(self._explain(i))
            now = time.perf_counter()
            seconds += now - began
            self._report(done[-1].row, now - began)
            if now - saved > _SAVE_EVERY:
                store(place, self._about, done, seconds)
                saved = time.perf_counter()
        explained, maps = store(place, self._about, done, seconds)
        if sanity:
            explained = explained.model_copy(update={"sanity": self._sanity(at, sanity)})
            explained.save(place.file(self.case, "json"))
        return explained, maps

    def _explain(self, i: int) -> Done:
        label = int(self.dataset.strata[i])
        found = self.explainer.explain(np.array(self.dataset.images[i]), label)
        part = next((part for part in _PARTS if i in getattr(self.split, part)), None)
        row = measured(found, self.dataset, i, part, self._priors[label], self.explainer)
        return Done(row, found.map.total.astype(np.float32), found.map.average.astype(np.float32))

    def _report(self, row: ExplainedSample, seconds: float) -> None:
        name = self.dataset.task.classes[row.label]
        self.report(f"sample {row.id} ({name}): {seconds:.1f} s, engine {row.engine} in {row.precision}")
        for note in row.notes:
            self.report(f"sample {row.id}: {note}")

    def _sanity(self, at: NDArray[np.int64], draws: int) -> Sanity:
        from btlib.explain.sanity import sanity_check  # imported here because it needs torch

        labels = self.dataset.strata
        first = at[np.sort(np.unique(labels[at], return_index=True)[1])]
        self.report(f"sanity check on samples {', '.join(self.dataset.ids[first])}")
        return sanity_check(
            self.explainer, np.array(self.dataset.images[first]), labels[first], self.dataset.ids[first], draws
        )

    @cached_property
    def _priors(self) -> list[NDArray[np.float64]]:
        """Centre priors: maps of the usual position of training tumours, one per class."""
        data, train = self.dataset, np.sort(self.split.train)
        of_class = (train[data.strata[train] == label] for label in range(len(data.task.classes)))
        return [centre_prior(data.masks[at].any(axis=1), data.masks.shape[2:]) for at in of_class]

    @property
    def _about(self) -> dict[str, Any]:
        """Fields of `Explained` that are the same for all samples."""
        return {
            "case": self.case,
            "identity": self.identity,
            "task": self.dataset.task,
            "dataset_fingerprint": self.dataset.fingerprint,
            "split_name": self.split.name,
            "split_fingerprint": self.split.fingerprint,
            "image_size": self.dataset.image_size,
            "scaling": self.dataset.scaling,
            "patch": self.explainer.patch,
            "stride": self.explainer.stride,
            "fill": self.explainer.fill,
        }
