"""Maps of many samples by the fastest way to run a model that is precise enough for what each map shows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.predictor import Predictor
from btlib.explain.occlusion import BATCH, Fill, OcclusionMap, drops, occlusion_maps
from btlib.explain.patches import PATCH, STRIDE, corners, positions
from btlib.explain.probability import probability_of

SHARE = 0.05
"""Largest deviation from plain fp32 that a map may have, as a share of its effects' range."""

SPREAD, STRONGEST = 12, 4
"""Positions that are scored again in plain fp32: spread evenly over the sample, and those with the largest effects."""


@dataclass(frozen=True, eq=False)
class Runner:
    """A way to run a model.

    Attributes:
        predictor: Gives class probabilities.
        engine: Its name.
        precision: "fp32" or "bf16"; "as given" for a predictor that btlib knows nothing of.
    """

    predictor: Predictor
    engine: str = "predictor"
    precision: str = "as given"


@dataclass(frozen=True, eq=False)
class Explanation:
    """The map of one sample, and how far it can be trusted.

    Attributes:
        map: The map.
        label: The class it explains.
        engine: What ran the model.
        precision: In which the map was computed.
        deviation: Largest difference of a drop from plain fp32, on the positions that were scored again; None where
            there was nothing to hold it against.
        notes: Why the map was computed again, where it was.
    """

    map: OcclusionMap
    label: int
    engine: str
    precision: str
    deviation: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def effect(self) -> float:
        """Range of the map's drops."""
        return self.map.effect

    @property
    def faithful(self) -> bool | None:
        """Whether the deviation is small beside the effects; None where it is not known.

        A map that is not faithful even in fp32 shows no more than rounding.
        """
        return None if self.deviation is None else self.deviation <= SHARE * self.effect


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explains samples with engines that are built once.

    Attributes:
        fast: What computes a map first; without `plain`, what computes it.
        plain: Plain fp32, which a map is held against.
        make_exact: Builds the fastest way in fp32 for the first map that needs it; None where `fast` is in fp32.
        patch: Side of the patch in pixels.
        stride: From one patch to the next in pixels.
        fill: What a patch is hidden with.
        batch_size: Samples predicted at once.
    """

    fast: Runner
    plain: Predictor | None = None
    make_exact: Callable[[], Runner] | None = None
    patch: int = PATCH
    stride: int = STRIDE
    fill: Fill = "zero"
    batch_size: int = BATCH

    @cached_property
    def exact(self) -> Runner | None:
        """The fastest way in fp32, built when it is first asked for."""
        return None if self.make_exact is None else self.make_exact()

    def explain(self, image: NDArray[np.float32], label: int) -> Explanation:
        """The map of one sample: by the fast way, and by the exact one where the fast one is too coarse for it.

        Args:
            image: float32 [channels, h, w], preprocessed as for the model.
            label: The class to explain, from 0; the thesis explains the true one.

        Raises:
            OptionError: No such class, or patch, stride and sample do not go together.
            UnknownNameError: No such fill.
            PredictionError: The predictor gives no class probabilities, or none of an image.
        """
        found = self._map(self.fast, image, label)
        if self.plain is None:
            return Explanation(found, label, self.fast.engine, self.fast.precision)
        at = sample(found.drops)
        truth = self._drops(self.plain, image, label, at)
        first = _held(self.fast, found, label, at, truth)
        if first.faithful or self.exact is None:
            return first
        second = _held(self.exact, self._map(self.exact, image, label), label, at, truth)
        note = (
            f"computed again in fp32: engine {first.engine} in {first.precision} moves a drop by up to "
            f"{first.deviation:.2g}, more than {100 * SHARE:g} % of the effects' range of {first.effect:.2g}"
        )
        return replace(second, notes=(note,))

    def _map(self, runner: Runner, image: NDArray[np.float32], label: int) -> OcclusionMap:
        return occlusion_maps(
            probability_of(runner.predictor, label),
            image,
            patch=self.patch,
            stride=self.stride,
            fill=self.fill,
            batch_size=self.batch_size,
        )

    def _drops(
        self, predictor: Predictor, image: NDArray[np.float32], label: int, at: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The drops at some positions, counted row by row."""
        places = corners(*positions(image.shape[-2:], self.patch, self.stride))[at]
        score = probability_of(predictor, label)
        return drops(score, image, places, patch=self.patch, fill=self.fill, batch_size=self.batch_size)[1]


def sample(found: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions to score again, counted row by row: some spread evenly, and those with the largest drops or rises."""
    spread = np.linspace(0, found.size - 1, SPREAD).round().astype(np.int64)
    strongest = np.argsort(np.abs(found), axis=None)[-STRONGEST:]
    return np.union1d(spread, strongest)


def _held(
    runner: Runner, found: OcclusionMap, label: int, at: NDArray[np.int64], truth: NDArray[np.float64]
) -> Explanation:
    """A map beside what plain fp32 says at some positions."""
    deviation = float(np.abs(found.drops.ravel()[at] - truth).max())
    return Explanation(found, label, runner.engine, runner.precision, deviation)
