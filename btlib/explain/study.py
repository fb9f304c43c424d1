"""Explaining the samples of one case: their maps, measured and kept; cut short, it goes on where it was."""

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
from btlib.explain.stored import Done, keep, known
from btlib.splits import Split

_SAVE_EVERY = 30.0  # seconds
_PARTS: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Study:
    """What is explained, and with what.

    Attributes:
        case: Name of the case.
        explainer: Of its model.
        dataset: The samples, as the model takes them.
        split: Says what each sample was used for.
        model: Identity of the trained model; None where it has none, and then nothing is taken over from before.
        report: Told a line for each sample.
        built: Seconds that building the explainer took; they count as the maps'.
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
        """Of all that decides the maps but for the samples' ids."""
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
        """The same with another patch and stride in pixels, None for those that fit the samples, and another fill."""
        fitting, _ = scaled(self.dataset.image_size)
        patch = fitting if patch is None else patch
        stride = max(patch // STEPS, 1) if stride is None else stride
        return replace(self, explainer=replace(self.explainer, patch=patch, stride=stride, fill=fill))

    def sure(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """The probability of the true type of samples at some positions, float64 [n].

        Raises:
            PredictionError: The predictor gives no class probabilities, or none of an image.
        """
        images, labels = self.dataset.images, self.dataset.strata
        score = [
            probability_of(self.explainer.fast.predictor, label) for label in range(len(self.dataset.task.classes))
        ]
        return np.array([float(score[labels[i]](np.array(images[i : i + 1]))[0]) for i in at.tolist()])

    def run(self, at: NDArray[np.int64], place: ExplainPlace, *, sanity: int = 0) -> tuple[Explained, Maps]:
        """Explain the true type of samples, and write `explain/<case>.{npz,json,csv}`.

        Args:
            at: Positions in the dataset; masks there are neither empty nor full.
            place: Where to; maps of the same identity that lie there are not made again.
            sanity: Draw random weights so often for a sanity check on the first sample of each type; 0 leaves it out.

        Raises:
            PredictionError: The predictor gives no class probabilities.
            OptionError: Patch, stride and samples do not go together.
            StatsError: A sample without a tumour pixel under a patch.
        """
        there = known(place, self.case, self.identity)
        done: list[Done] = []
        seconds, saved = self.built, time.perf_counter()
        for i in at.tolist():
            name = str(self.dataset.ids[i])
            if name in there:
                self.report(f"sample {name}: its map is there")
                done.append(there[name])
                continue
            began = time.perf_counter()
            done.append(self._explain(i))
            now = time.perf_counter()
            seconds += now - began
            self._report(done[-1].row, now - began)
            if now - saved > _SAVE_EVERY:
                keep(place, self._about, done, seconds)
                saved = time.perf_counter()
        explained, maps = keep(place, self._about, done, seconds)
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
        from btlib.explain.sanity import sanity_check  # it needs torch

        labels = self.dataset.strata
        first = at[np.sort(np.unique(labels[at], return_index=True)[1])]
        self.report(f"sanity check on samples {', '.join(self.dataset.ids[first])}")
        return sanity_check(
            self.explainer, np.array(self.dataset.images[first]), labels[first], self.dataset.ids[first], draws
        )

    @cached_property
    def _priors(self) -> list[NDArray[np.float64]]:
        """Where training tumours of each type lie."""
        data, train = self.dataset, np.sort(self.split.train)
        of_class = (train[data.strata[train] == label] for label in range(len(data.task.classes)))
        return [centre_prior(data.masks[at].any(axis=1), data.masks.shape[2:]) for at in of_class]

    @property
    def _about(self) -> dict[str, Any]:
        """What holds for all samples, as `Explained` names it."""
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
